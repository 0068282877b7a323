//! A folder of golden models, each with a file that was written with it.

use std::fs;
use std::path::PathBuf;

use bbans::block::Way;
use bbans::nn::ModelFile;
use bbans::nn::simd::Path;
use bbans::{FileModel, VaeModel, block};

use crate::support::{golden, grey_data, idx};
use crate::{compress, decompress};

/// Models of 30 dimensions as they are made today; their committed files must be the same.
pub(crate) struct Goldens {
    folder: PathBuf,
    files: Vec<ModelFile>,
}

impl Goldens {
    pub(crate) fn new(folder: &str, files: Vec<ModelFile>) -> Self {
        let folder = golden().join(folder);
        Self { folder, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.safetensors"))
    }

    /// The models, from their committed files.
    pub(crate) fn models(&self) -> Vec<VaeModel> {
        let read = |file: &ModelFile| {
            let bytes = fs::read(self.path(&file.description.name)).unwrap();
            assert_eq!(&ModelFile::from_bytes(&bytes).unwrap(), file);
            assert_eq!(file.to_bytes().unwrap(), bytes);
            VaeModel::from_bytes(&bytes).unwrap()
        };
        self.files.iter().map(read).collect()
    }

    /// The files decode on every path, and are still written so.
    pub(crate) fn check(&self) {
        for model in self.models() {
            let name = model.name();
            let file = fs::read(self.path(name).with_extension("bbans")).unwrap();
            let content = content(&model);
            for path in Path::available() {
                let model = model.clone().with_path(path);
                let found = decompress(&model, &file, 2).unwrap();
                assert!(found == content, "{name} {}", path.name());
                let (written, _) = compress(&model, &content, 16, 1).unwrap();
                assert!(written == file, "{name} {}: other bytes", path.name());
            }
        }
    }

    /// Any number of lanes, and of blocks, restores data.
    pub(crate) fn check_lanes(&self) {
        for model in self.models() {
            let data = grey_data(333, model.levels(), 5);
            for lanes in [1, 3, 64, 200] {
                let particles = |coupled| Way {
                    particles: 3,
                    coupled,
                    ..Way::plain(lanes)
                };
                for way in [
                    Way::plain(lanes),
                    Way::plain(lanes).whitened(&model),
                    particles(true).whitened(&model),
                    particles(false).whitened(&model),
                ] {
                    let coded = block::encode_by(&model, data.view(), way).unwrap();
                    let decoded = block::decode(&model, coded.plan, coded.words).unwrap();
                    assert_eq!(decoded, data, "{} {way:?}", model.name());
                }
            }
        }
    }

    /// Writes what is missing, never what is there.
    pub(crate) fn write_missing(&self) {
        fs::create_dir_all(&self.folder).unwrap();
        for file in &self.files {
            let path = self.path(&file.description.name);
            if path.exists() {
                continue;
            }
            let bytes = file.to_bytes().unwrap();
            let model = VaeModel::from_bytes(&bytes).unwrap();
            let (coded, _) = compress(&model, &content(&model), 16, 1).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::write(path.with_extension("bbans"), coded).unwrap();
        }
    }
}

fn content(model: &VaeModel) -> Vec<u8> {
    idx(&grey_data(40, model.levels(), 3), model.shape(), 1)
}

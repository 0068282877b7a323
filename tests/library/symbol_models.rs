//! Models of one symbol after another: rates, lanes, paths, files of every kind, and one datum out of them.

use std::io::Cursor;
use std::num::NonZeroUsize;

use bbans::data::{Element, Target};
use bbans::nn::description::Values;
use bbans::nn::simd::Path;
use bbans::{DataReader, FileModel, LatentModel, Options, VaeModel};
use ndarray::ArrayD;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::arrays::npy_of;
use crate::support::symbol_models::symbol_model_files;
use crate::support::{golden, npy_with};

fn models() -> Vec<VaeModel> {
    let of = |file: bbans::nn::ModelFile| VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    symbol_model_files().into_iter().map(of).collect()
}

#[test]
fn net_bits_of_data_from_the_model_are_the_bound() {
    for file in symbol_model_files() {
        crate::rate_is_the_bound(&file);
    }
}

/// Data from the models: pictures, 16-bit values with the higher byte first, colours in the order of Fortran; and a table
/// with quotes, and with cells that its columns do not have.
fn contents() -> Vec<(VaeModel, &'static str, Vec<u8>)> {
    let [colours, signal, table, green]: [VaeModel; 4] = models().try_into().unwrap();
    let drawn = |model: &VaeModel, count| bbans::sample(model, count, 17, 0).unwrap();
    let values: Vec<u8> = (drawn(&colours, 40).iter())
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let colours_npy = npy_with(
        "{'descr': '<u2', 'fortran_order': False, 'shape': (40, 3, 4, 3), }",
        &values,
    );
    let samples: Vec<u8> = (drawn(&signal, 200).iter())
        .flat_map(|&v| (i32::from(v) - 32768).to_be_bytes()[2..].to_vec())
        .collect();
    let flat = npy_with(
        "{'descr':'>i2','fortran_order':False,'shape':(1400,)}",
        &samples,
    );
    let pixels = channels(&green, drawn(&green, 30).into_raw_vec_and_offset().0);
    let pixels = ArrayD::from_shape_vec(
        vec![30, 3, 4, 3],
        pixels.into_iter().map(|v| vec![v]).collect(),
    )
    .unwrap();
    let green_npy = npy_of(&pixels, Element::U8, true);
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut below = |n: u32| rng.next_u32() % n;
    let mut csv = String::from("cut,carat,year,always\r\n");
    for i in 0..300 {
        let cut = ["\"Ideal\"", "\"Good, or not\"", "\"Fair\"", "Unheard of"]
            [(below(3) + u32::from(i == 77)) as usize % 4];
        let carat = match i % 5 {
            0 => "NA".to_owned(),
            1 => "1.50".to_owned(),
            _ => {
                let text = format!("{:.2}", f64::from(below(1000)) / 100.0 - 5.0);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        };
        let carat = if i % 5 == 1 && i > 20 {
            "2".to_owned()
        } else {
            carat
        };
        let year = 1900 + 2 * below(50) + u32::from(i == 200);
        csv += &format!("{cut},{carat},{year},x\r\n");
    }
    csv.truncate(csv.len() - 2);
    vec![
        (colours, "colours.npy", colours_npy),
        (signal, "signal.npy", flat),
        (table, "table.csv", csv.into_bytes()),
        (green, "green.npy", green_npy),
    ]
}

/// The channels of pixels of a model with green first; those of a symbol's pixel that is none are the nearest.
fn channels(model: &VaeModel, mut symbols: Vec<u16>) -> Vec<u8> {
    let Values::GreenFirst(colours) = bbans::FileModel::values(model) else {
        panic!("a model without green first");
    };
    for pixel in symbols.chunks_exact_mut(3) {
        if !colours.channels(&mut pixel.to_vec()) {
            // As the golden files have them.
            let grey = colours.levels as u16 - 1;
            pixel[1..].fill(grey);
        }
        assert!(colours.channels(pixel));
    }
    symbols.into_iter().map(|v| v as u8).collect()
}

/// What is a colour stays, what is none becomes one, with green as it was where there is such a green.
#[test]
fn the_nearest_colour_is_one() {
    let colours = bbans::nn::description::GreenFirst {
        levels: 6,
        channels: 4,
    };
    for n in 0..12 * 12 * 12 * 8 {
        let pixel = [n % 12, n / 12 % 12, n / 144 % 12, n / 1728].map(|v| v as u16);
        let mut nearest = pixel;
        colours.nearest(&mut nearest);
        assert!(colours.channels(&mut nearest.clone()), "{pixel:?}");
        assert_eq!(nearest == pixel, colours.channels(&mut pixel.clone()));
        assert_eq!(nearest[0], pixel[0].min(5));
    }
}

fn compressed(model: &VaeModel, name: &str, content: &[u8], options: Options) -> Vec<u8> {
    let reader = DataReader::open(Cursor::new(content.to_vec()), name).unwrap();
    let mut file = Vec::new();
    bbans::compress(model, reader, &mut file, options, &mut |_| {}).unwrap();
    file
}

#[test]
fn files_of_every_kind_come_back_on_every_path() {
    for (model, name, content) in contents() {
        for lanes in [1, 3, 64] {
            let options = Options {
                lanes,
                threads: NonZeroUsize::MIN,
                ..Options::default()
            };
            let file = compressed(&model, name, &content, options);
            assert_eq!(file[8], 3, "{name}");
            let restored = bbans::decompress_bytes(&model, &file, options).unwrap();
            assert!(restored == content, "{name}, {lanes} lanes");
            for path in Path::available() {
                let other = model.clone().with_path(path);
                assert!(
                    compressed(&other, name, &content, options) == file,
                    "{name}, {path:?}"
                );
                assert!(bbans::decompress_bytes(&other, &file, options).unwrap() == content);
            }
        }
    }
}

/// In any framing, the data of a range are those of the whole.
#[test]
fn one_datum_comes_out_of_a_file() {
    for (model, name, content) in contents() {
        let plain = Options {
            lanes: 4,
            threads: NonZeroUsize::MIN,
            ..Options::default()
        };
        let blocks = Options {
            block: NonZeroUsize::new(11),
            ..plain
        };
        let independent = Options {
            independent: true,
            ..plain
        };
        let mut all = Vec::new();
        for options in [plain, blocks, independent] {
            let file = compressed(&model, name, &content, options);
            let mut parts = Vec::new();
            for range in [0..1, 10..12, 29..30, 3..28] {
                let restored = Restored::default();
                let target = Target::Stream(Box::new(restored.clone()));
                bbans::decompress_range(&model, &mut Cursor::new(&file), range, target).unwrap();
                parts.push(restored.take());
            }
            all.push(parts);
            let target = || Target::Nowhere;
            for range in [400..401, 0..0, 3..1000] {
                assert!(
                    bbans::decompress_range(&model, &mut Cursor::new(&file), range, target())
                        .is_err()
                );
            }
        }
        assert!(all[0] == all[1] && all[0] == all[2], "{name}");
        if name == "table.csv" {
            let lines: Vec<&[u8]> = content.split_inclusive(|&b| b == b'\n').collect();
            assert_eq!(all[0][1], [lines[0], lines[11], lines[12]].concat());
        } else if name != "green.npy" {
            let each = model.dims() * 2;
            let count = if name == "colours.npy" { 40 } else { 200 };
            let values = &content[content.len() - count * each..];
            assert!(all[0][1].ends_with(&values[10 * each..12 * each]), "{name}");
        }
    }
}

/// A stream that keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Restored(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Restored {
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl std::io::Write for Restored {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Many of them are data of another model.
#[test]
fn values_that_no_column_has_are_refused_where_they_are_many() {
    let [_, _, table, _]: [VaeModel; 4] = models().try_into().unwrap();
    let mut csv = String::from("cut,carat,year,always\n");
    for i in 0..100 {
        csv += &format!("text {i},NA,19,x\n");
    }
    let reader = DataReader::open(Cursor::new(csv.into_bytes()), "table.csv").unwrap();
    let refused = bbans::compress(
        &table,
        reader,
        &mut Vec::new(),
        Options::default(),
        &mut |_| {},
    );
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("none that the model"), "{told}");
    assert_eq!(table.levels(), 1002);
}

/// The golden files of version 3: the models, the data files, and for each way of coding a file.
fn goldens() -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let folder = golden().join("v3");
    let mut all = Vec::new();
    for file in symbol_model_files() {
        let name = format!("{}.safetensors", file.description.name);
        all.push((folder.join(name), file.to_bytes().unwrap()));
    }
    for (model, name, content) in contents() {
        for (i, options) in crate::ways().into_iter().enumerate() {
            let file = compressed(&model, name, &content, options);
            all.push((folder.join(format!("{name}.{i}.bbans")), file));
        }
        all.push((folder.join(name), content));
    }
    let (model, picture) = picture();
    let file = compressed(&model, "green.png", &picture, crate::ways()[0]);
    all.push((folder.join("green.png.0.bbans"), file));
    all.push((folder.join("green.png"), picture));
    all
}

/// A picture that the last of the models has, with a text: what is in the golden file, or a new one.
fn picture() -> (VaeModel, Vec<u8>) {
    let model = models().swap_remove(3);
    if let Ok(picture) = std::fs::read(golden().join("v3/green.png")) {
        return (model, picture);
    }
    let pixels = bbans::sample(&model, 1, 18, 0).unwrap();
    let pixels = channels(&model, pixels.into_raw_vec_and_offset().0);
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 4, 3);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .add_text_chunk("Title".into(), "of the model".into())
        .unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    (model, picture)
}

/// Of pictures the pixels come back and what is said of them, not the file.
#[test]
fn the_golden_picture_decodes() {
    let (model, picture) = picture();
    let file = std::fs::read(golden().join("v3/green.png.0.bbans")).unwrap();
    let restored = bbans::decompress_bytes(&model, &file, Options::default()).unwrap();
    let decoded = |file: &[u8]| {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let texts = reader.info().uncompressed_latin1_text.iter();
        let texts: Vec<String> = texts.map(|t| t.text.clone()).collect();
        (pixels, texts)
    };
    assert_eq!(decoded(&restored), decoded(&picture));
    assert_eq!(decoded(&picture).1, ["of the model"]);
}

/// The golden files that restore to bytes, each with its model.
pub(crate) fn pairs() -> Vec<(std::path::PathBuf, std::path::PathBuf)> {
    let folder = golden().join("v3");
    let names = symbol_model_files().into_iter().zip(contents());
    let of_model = |(file, (_, name, _)): (bbans::nn::ModelFile, (VaeModel, &str, Vec<u8>))| {
        let model = folder.join(format!("{}.safetensors", file.description.name));
        let file = |i| folder.join(format!("{name}.{i}.bbans"));
        let files = (0..crate::ways().len()).map(file);
        files.map(|file| (model.clone(), file)).collect::<Vec<_>>()
    };
    names.flat_map(of_model).collect()
}

#[test]
fn golden_files_decode_and_are_still_written_so() {
    for (path, bytes) in goldens() {
        let found = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(found == bytes, "{}", path.display());
    }
    for (model, name, content) in contents() {
        for i in 0..crate::ways().len() {
            let file = std::fs::read(golden().join(format!("v3/{name}.{i}.bbans"))).unwrap();
            let restored = bbans::decompress_bytes(&model, &file, Options::default()).unwrap();
            // Of a set the order is another.
            assert_eq!(restored.len(), content.len());
            assert!(restored == content || matches!(i, 3..=5), "{name} {i}");
        }
    }
}

/// Writes the golden files that are missing: for a new case, never for one that is there.
#[test]
#[ignore = "writes into the source tree"]
fn write_missing_golden_files() {
    for (path, bytes) in goldens() {
        if !path.exists() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// A 32-bit float has 2^24, and not the number after it.
#[test]
fn numbers_beyond_those_of_a_float_are_told_apart() {
    use bbans::nn::description::Step;
    let fingerprint = |lowest: i64| {
        let mut file = symbol_model_files().swap_remove(1);
        file.description.values = Values::Numbers(Step { lowest, step: 1 });
        VaeModel::from_bytes(&file.to_bytes().unwrap())
            .unwrap()
            .fingerprint()
    };
    let all: std::collections::BTreeSet<[u8; 32]> = [0, 1 << 24, (1 << 24) + 1, -(1 << 24) - 1]
        .map(fingerprint)
        .into();
    assert_eq!(all.len(), 4);
}

/// A description with graphs, and weights with the axes of PyTorch.
#[test]
fn models_are_imported_as_they_are() {
    use bbans::nn::Tensor;
    use bbans::nn::import::import_description;
    for file in symbol_model_files() {
        let mut weights = file.clone();
        weights
            .tensors
            .retain(|name, _| !name.starts_with("latent."));
        for (name, tensor) in &mut weights.tensors {
            // All nodes with weights of two axes are dense.
            if name.ends_with(".weight") && tensor.shape.len() == 2 {
                let [rows, columns] = tensor.shape[..] else {
                    unreachable!()
                };
                let moved =
                    (0..rows * columns).map(|i| tensor.values[i % rows * columns + i / rows]);
                *tensor = Tensor::new(vec![columns, rows], moved.collect()).unwrap();
            }
        }
        let bytes = safetensors_of(&weights.tensors);
        let imported = import_description(&bytes, &file.description).unwrap();
        assert!(imported.unused.is_empty(), "{:?}", imported.unused);
        assert!(
            imported.file.tensors == file.tensors,
            "{}",
            file.description.name
        );
        let mut none = weights.tensors.clone();
        none.remove("head.0.bias");
        let refused = import_description(&safetensors_of(&none), &file.description).unwrap_err();
        assert!(
            format!("{refused:#}").contains("head.0.bias"),
            "{refused:#}"
        );
    }
}

fn safetensors_of(tensors: &std::collections::BTreeMap<String, bbans::nn::Tensor>) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, tensor) in tensors {
        let start = data.len();
        tensor
            .values
            .iter()
            .for_each(|v| data.extend(v.to_le_bytes()));
        header.insert(
            name.clone(),
            serde_json::json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.len()]}),
        );
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}

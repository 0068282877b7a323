//! Data of more than two levels: golden files, exactness, rate.

use bbans::nn::likelihood::{CausalCategorical, EMBEDDING};
use bbans::nn::{Layer, Likelihood, ModelFile};
use bbans::{Codec, FileModel, LatentModel, Message, VaeModel, block};
use ndarray::Array2;

use crate::goldens::Goldens;
use crate::support::{
    TINY_SHAPE, chains, features_model_files, grey_data, grey_model_files, hierarchy_model_file,
    idx,
};
use crate::{compress, rate_is_the_bound};

fn goldens() -> Goldens {
    Goldens::new("grey", grey_model_files())
}

#[test]
fn golden_files_decode_and_are_still_written_so() {
    goldens().check();
}

/// Writes the golden files that are missing: for a new case, never for one that is there.
#[test]
#[ignore = "writes into the source tree"]
fn write_missing_golden_files() {
    goldens().write_missing();
}

#[test]
fn any_number_of_lanes_and_of_blocks_restores_the_data() {
    goldens().check_lanes();
}

/// Each datum on a message of its own random words: the posteriors of untrained networks do not make
/// up the prior, so the words that a datum leaves are no clean bits for the next one.
#[test]
fn net_bits_of_data_from_the_model_are_the_bound() {
    for mut file in grey_model_files() {
        // Bytes as they are, or wide posteriors, would drive latents out of the prior's bins, which the
        // bound does not know of.
        file.description.latent.log_sigma = [-3.0, -0.7];
        let first = file.tensors.get_mut("encoder.0.weight").unwrap();
        first.values.iter_mut().for_each(|w| *w /= 256.0);
        file.description.latent.bin_precision = 12;
        bbans::nn::bins::insert_standard_normal(&mut file.tensors, 12).unwrap();
        rate_is_the_bound(&file);
    }
}

#[test]
fn values_that_the_model_has_no_symbol_for_are_refused() {
    let model = &goldens().models()[1];
    assert_eq!((model.levels(), model.dims()), (7, 30));
    let data = grey_data(10, 8, 1);
    let error = compress(model, &idx(&data, &TINY_SHAPE, 1), 4, 1).unwrap_err();
    assert!(error.to_string().contains("below 7"), "{error}");
}

#[test]
fn a_description_of_version_1_has_no_grey_likelihood() {
    let mut file = grey_model_files().remove(0);
    file.description.version = 1;
    let error = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn heads_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut ModelFile), what: &str| {
        let mut file = features_model_files().remove(1);
        change(&mut file);
        let error = file
            .to_bytes()
            .map_err(|e| format!("{e:#}"))
            .and_then(|bytes| VaeModel::from_bytes(&bytes).map_err(|e| format!("{e:#}")))
            .unwrap_err();
        assert!(error.contains(what), "{error}");
    };
    let near = |above, side| Layer::Neighbours { above, side };
    refused(&|f| f.description.version = 3, "version 4");
    refused(&|f| chains(f).head[2] = near(17, 1), "the limit is 16");
    refused(&|f| chains(f).head[2] = near(1, 2), "head.1.weight");
    refused(&|f| chains(f).head.insert(0, near(1, 1)), "must be dense");
    refused(&|f| chains(f).head.push(near(1, 1)), "must be dense");
    refused(&|f| chains(f).decoder.push(near(1, 1)), "nowhere else");
    refused(&|f| drop(f.tensors.remove(EMBEDDING)), EMBEDDING);
    refused(
        &|f| {
            let window = f.description.likelihood.window().unwrap();
            f.description.likelihood = Likelihood::CausalCategorical(CausalCategorical {
                window,
                levels: 2,
                embedding: 3,
            });
        },
        "3 to",
    );
}

#[test]
fn hierarchies_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut ModelFile), what: &str| {
        let mut file = hierarchy_model_file();
        change(&mut file);
        let bytes = file.to_bytes().unwrap();
        let error = VaeModel::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let latents = |i: usize, latents: usize| {
        move |f: &mut ModelFile| chains(f).hierarchy[i].latents = latents
    };
    refused(&|f| f.description.version = 4, "version 5");
    refused(
        &|f| {
            let first = chains(f).encoder[0].clone();
            chains(f).encoder.push(first);
        },
        "the name encoder.0",
    );
    refused(&latents(1, 3), "layers of [1, 3]");
    refused(
        &latents(1, usize::MAX),
        "layers of [1, 18446744073709551615]",
    );
    refused(&|f| drop(chains(f).hierarchy.pop()), "layers of [1]");
    refused(&|f| chains(f).hierarchy.clear(), "ends with 7 outputs");
    refused(&|f| chains(f).hierarchy.reverse(), "posterior.1.0.weight");
    refused(&|f| chains(f).hierarchy[0].layers.clear(), "must be dense");
    refused(
        &|f| drop(f.tensors.remove("posterior.1.1.bias")),
        "posterior.1.1.bias",
    );
}

/// Layers that do not look at those above are the latents of one layer: the same message.
#[test]
fn a_hierarchy_of_independent_layers_is_one_layer() {
    let mut file = hierarchy_model_file();
    let tensor = |file: &ModelFile, name: &str| file.tensors[name].clone();
    // From the encoder's 7 features alone: means and log standard deviations of 1 and of 2 latents.
    let parts = ["weight", "bias"].map(|part| {
        let [top, bottom] = [0, 1].map(|l| tensor(&file, &format!("posterior.{l}.0.{part}")));
        let rows = top.values.len() / 2;
        let row = |r: usize| {
            let (t, b) = (&top.values[2 * r..][..2], &bottom.values[5 * r..][..4]);
            (
                [t[0], b[0], b[1], t[1], b[2], b[3]],
                [b[0], b[1], b[2], b[3]],
            )
        };
        (part, (0..rows).map(row).collect::<Vec<_>>())
    });
    let mut flat = file.clone();
    chains(&mut flat).hierarchy.clear();
    let last = || Layer::Dense {
        name: "last".to_owned(),
    };
    chains(&mut flat).encoder.push(last());
    chains(&mut file).hierarchy[1].layers = vec![last()];
    for (part, rows) in parts {
        let shape = |inputs, outputs| match part {
            "weight" => vec![inputs, outputs],
            _ => vec![outputs],
        };
        let all = rows.iter().flat_map(|(all, _)| *all).collect();
        let mut own: Vec<f32> = rows.iter().flat_map(|(_, own)| *own).collect();
        if part == "weight" {
            own.extend([0.0; 4]);
        }
        let name = format!("last.{part}");
        let all = bbans::nn::Tensor::new(shape(7, 6), all).unwrap();
        let own = bbans::nn::Tensor::new(shape(8, 4), own).unwrap();
        flat.tensors.insert(name.clone(), all);
        file.tensors.insert(name, own);
    }
    let [one, two] =
        [flat, file].map(|file| VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap());
    assert_eq!(
        (one.vae().latent_groups().len(), two.vae().latent_groups()),
        (1, vec![0..1, 1..3])
    );
    let mut message = Message::with_initial_words(20);
    message.grow(1).unwrap();
    let data = grey_data(1, 2, 6);
    for shape in [(1, 2), (1, 4), (2, 3)] {
        let posterior = two.posterior(&data).unwrap();
        let error = posterior.push(&mut message, &Array2::zeros(shape));
        assert!(error.unwrap_err().to_string().contains("(1, 3)"));
    }
    let data = grey_data(200, 2, 6);
    let words = |model: &VaeModel| block::encode(model, data.view(), 16).unwrap().words;
    assert_eq!(words(&one), words(&two));
}

#[test]
fn weights_of_16_bits_are_widened_exactly() {
    let mut file = crate::support::causal_model_file("half", 5);
    let full = file.to_bytes().unwrap().len();
    for (name, tensor) in &mut file.tensors {
        if !name.starts_with("latent") {
            *tensor = tensor.clone().halved().unwrap();
        }
    }
    let bytes = file.to_bytes().unwrap();
    let weights = file
        .tensors
        .iter()
        .filter(|(name, _)| !name.starts_with("latent"));
    let saved: usize = weights.map(|(_, t)| 2 * t.values.len()).sum();
    assert!(
        full - bytes.len() > saved / 2,
        "{full} {} {saved}",
        bytes.len()
    );
    assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), file);
    assert!(
        file.tensors["head.0.weight"].clone().halved().unwrap() == file.tensors["head.0.weight"]
    );

    // Older versions have no such tensors: a file of them that says it is older is refused.
    let json = br#"\"version\":3"#;
    let at = bytes.windows(json.len()).position(|w| w == json).unwrap();
    let mut old = bytes.clone();
    old[at + json.len() - 1] = b'1';
    assert!(ModelFile::from_bytes(&old).is_err());
    let huge = bbans::nn::Tensor::new(vec![1], vec![1e6]).unwrap();
    assert!(huge.halved().is_err());
}

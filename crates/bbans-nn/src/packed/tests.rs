//! Models packed and unpacked.

use super::*;
use crate::description::{Graphs, Latent, Networks};
use crate::likelihood::Likelihood;

fn model(tensors: &[(&str, &[usize], Vec<f32>)]) -> ModelFile {
    let tensors = tensors.iter().map(|(name, shape, values)| {
        let tensor = Tensor::new(shape.to_vec(), values.clone()).unwrap();
        ((*name).to_owned(), tensor)
    });
    let constant = serde_json::json!({
        "decode": {"inputs": [], "nodes": [{"id": "c", "op": "constant", "shape": [3], "inputs": []}], "outputs": ["c"]},
    });
    let graphs: Graphs = serde_json::from_value(constant).unwrap();
    ModelFile {
        description: Description {
            version: 9,
            name: "packed".to_owned(),
            data_shape: vec![3],
            values: Default::default(),
            likelihood: Likelihood::Bernoulli,
            latent: Latent::NONE,
            networks: Networks::Graphs(graphs),
            training: None,
        },
        tensors: tensors.collect(),
    }
}

/// Values of a bell, as multiples of a step.
fn bell(count: usize, step: f32, spread: f32) -> Vec<f32> {
    let mut state = 1u64;
    let mut uniform = || {
        // Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let sums = (0..count).map(|_| uniform() + uniform() + uniform() + uniform());
    sums.map(|sum| (sum * spread).round() * step).collect()
}

#[test]
fn every_form_comes_back_to_the_bit() {
    let channels: Vec<f32> = (bell(600, 1.0, 20.0).iter().enumerate())
        .map(|(i, v)| v * coarse_step(0.01 * 1.7f64.powi(i as i32 % 6)))
        .collect();
    let edges: Vec<f32> = (0..255).map(|i| (i as f32 - 127.0) / 16.0).collect();
    let file = model(&[
        ("a", &[40, 30], bell(1200, coarse_step(0.003), 30.0)),
        ("b", &[100, 6], channels),
        (
            "c.halves",
            &[4],
            vec![0.5, -3.0, 0.000_061_035_156, 65504.0],
        ),
        ("d.floats", &[2, 2], vec![0.1, -1e30, 1e-40, 3.0]),
        ("e.edges", &[255], edges),
        ("f.none", &[0], vec![]),
        ("g.scalar", &[], vec![-2.5]),
        ("h.zeros", &[5, 5], vec![0.0; 25]),
    ]);
    let packed = file.pack().unwrap();
    assert_eq!(ModelFile::unpack(&packed).unwrap(), file);
    // Every cut, and a word more, is noticed.
    for len in 0..packed.len() {
        assert!(ModelFile::unpack(&packed[..len]).is_err(), "{len}");
    }
    assert!(ModelFile::unpack(&[&packed[..], &[0; 4]].concat()).is_err());
}

/// Weights take about the entropy of their distribution, and edges of one width next to nothing.
#[test]
fn weights_take_the_bits_of_their_distribution() {
    let bytes = |file: &ModelFile| file.pack().unwrap().len() as f64;
    let empty = bytes(&model(&[]));
    let weights = bell(20_000, coarse_step(0.01), 40.0);
    let mut counts = BTreeMap::new();
    for v in &weights {
        *counts.entry(v.to_bits()).or_insert(0.0f64) += 1.0;
    }
    let n = weights.len() as f64;
    let entropy: f64 = counts.values().map(|c| c * (n / c).log2()).sum();
    let taken = 8.0 * (bytes(&model(&[("w", &[200, 100], weights)])) - empty);
    assert!(
        (entropy - 8.0..1.03 * entropy).contains(&taken),
        "{entropy} {taken}"
    );
    let edges = (0..1023).map(|i| (i as f32 - 511.0) / 64.0).collect();
    let taken = bytes(&model(&[("latent.edges", &[1023], edges)])) - empty;
    assert!(taken < 60.0, "{taken}");
}

#[test]
fn what_is_beyond_the_limits_is_refused() {
    let with = |tensors: &str| {
        let file = model(&[]);
        let mut json = serde_json::to_value(&file.description).unwrap();
        json[TENSORS] = serde_json::from_str(tensors).unwrap();
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(json.to_string().as_bytes()).unwrap();
        let deflated = deflated.finish().unwrap();
        let mut bytes = (deflated.len() as u32).to_le_bytes().to_vec();
        bytes.extend(deflated);
        bytes.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        ModelFile::unpack(&bytes)
    };
    with("[]").unwrap();
    for (tensors, expected) in [
        (r#"[["a", [99999999999]]]"#, "beyond the limit"),
        (
            r#"[["a", [16777216]], ["b", [16777217]]]"#,
            "beyond the limit",
        ),
        (r#"[["a", [4294967296, 4294967296]]]"#, "beyond the limit"),
        (r#"[["b", []], ["a", []]]"#, "ascending"),
        (r#"[["a", []], ["a", []]]"#, "ascending"),
        (r#"[["a", [16777216]]]"#, "tensor a"),
        (r#"{"a": []}"#, "names of the tensors"),
    ] {
        let e = format!("{:#}", with(tensors).unwrap_err());
        assert!(e.contains(expected), "{tensors}: {e}");
    }
}

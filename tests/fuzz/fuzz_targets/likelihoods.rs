//! A model of every likelihood, any bytes as a file of it, and any data: what it takes comes back. And a symbol of any
//! kind with any parameters, which keeps the laws of codecs.
#![no_main]

use std::collections::BTreeMap;

use bbans::nn::likelihood::{Kind, SymbolKind};
use bbans::nn::{Description, ModelFile, Observed, Tensor, bins};
use bbans::{FileModel, InOrder, LatentModel, VaeModel, block, laws};
use bbans_fuzz::{MODELS, decode, levels};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array2, ArrayView1, ArrayView2};

fuzz_target!(|bytes: &[u8]| {
    let [kind, lanes, rest @ ..] = bytes else {
        return;
    };
    let kind = *kind;
    if usize::from(kind) % (MODELS.len() + 1) == MODELS.len() {
        symbol(*lanes, rest);
        return;
    }
    let model = &MODELS[usize::from(kind) % (MODELS.len() + 1)];
    let lanes = usize::from(*lanes) % 9 + 1;
    if rest.starts_with(&[0x89]) {
        let _ = decode(model, rest);
        return;
    }
    // The same bytes as words of a block, which mostly decode to something...
    let (words, _) = rest.as_chunks();
    let words: Vec<u32> = words
        .iter()
        .take(200)
        .map(|&w| u32::from_le_bytes(w))
        .collect();
    let particles = usize::from(kind) % 3 + 1;
    let way = block::Way {
        particles,
        coupled: kind & 32 == 0 || particles == 1,
        unordered: kind & 64 != 0,
        ..block::Way::plain(lanes).whitened(model)
    };
    let points = usize::from(kind & 128 != 0);
    let plan = block::Plan {
        way,
        count: lanes,
        points,
        initial_words: points,
        growth: 64,
    };
    let _ = block::decode(model, plan, words);
    // ...and as data, which come back: few, so that many are tried.
    let dims = model.dims();
    let symbols = symbols(model, rest);
    let count = (symbols.len() / dims).min(3);
    let data = ArrayView2::from_shape((count, dims), &symbols[..count * dims]).unwrap();
    if count > 0 {
        let coder = block::Coder::new(model, way);
        let coded = coder.encode_shorter(data, 7).unwrap();
        let decoded = coder.decode(coded.plan, coded.words).unwrap();
        let mut expected: Vec<_> = data.rows().into_iter().map(|row| row.to_vec()).collect();
        if way.unordered {
            expected.sort();
        }
        let found = decoded.data.rows().into_iter();
        assert!(found.eq(expected.iter().map(|row| ArrayView1::from(row))));
    }
});

/// Symbols that a model has, of as many bytes as they need.
fn symbols(model: &VaeModel, mut bytes: &[u8]) -> Vec<u16> {
    let wide = model.levels() > 256;
    let mut levels = levels(model).into_iter().cycle();
    let mut symbols = Vec::new();
    while let Some((&low, rest)) = bytes.split_first() {
        let high = rest.first().filter(|_| wide);
        let number = usize::from(low) | usize::from(*high.unwrap_or(&0)) << 8;
        symbols.push((number % levels.next().unwrap_or(1)) as u16);
        bytes = &rest[usize::from(wide).min(rest.len())..];
    }
    symbols
}

/// Most levels of a symbol all of which are tried.
const FEW: usize = 40;

/// A symbol whose kind is in the first bytes, and whose parameters are the others.
fn symbol(choice: u8, bytes: &[u8]) {
    let [low, high, more, rest @ ..] = bytes else {
        return;
    };
    let number = usize::from(u16::from_le_bytes([*low, *high])) + 1;
    let components = usize::from(choice >> 2) % 5 + 1;
    let kind = match choice & 3 {
        0 => SymbolKind::Categorical {
            levels: number % 4096 + 1,
        },
        1 => SymbolKind::Logistics {
            levels: number.max(2),
            components,
        },
        _ => SymbolKind::Hurdle {
            levels: number.max(2),
            components,
            frequent: usize::from(*more) % number.max(2),
        },
    };
    let (words, _) = rest.as_chunks();
    let given = words
        .iter()
        .map(|&w| f32::from_le_bytes(w))
        .filter(|v| v.is_finite());
    let given: Vec<f32> = given.collect();
    // Those that are not given are those that are.
    let parameters = given.iter().copied().cycle().chain(std::iter::repeat(0.0));
    let parameters: Vec<f32> = parameters.take(kind.parameters()).collect();
    let model = of_symbol(kind, parameters);
    let vae = model.vae();
    let z = vae.latents_of_bins(Array2::zeros((2, 1)).view()).unwrap();
    let Ok(Observed::Positions(positions)) = vae.decode(z.view()) else {
        panic!("no likelihood of symbols");
    };
    let codec = InOrder(positions);
    let levels = kind.levels();
    let some = [0, 1, usize::from(*more), levels / 2, levels - 2, levels - 1];
    let tried: Vec<usize> = match levels {
        ..=FEW => (0..levels).collect(),
        _ => some.into_iter().filter(|&s| s < levels).collect(),
    };
    let mut mass = 0.0;
    for &s in &tried {
        let s = s as u16;
        let bits = laws::check_codec(&codec, &ndarray::array![[s], [s]], 2).unwrap();
        mass += (-bits / 2.0).exp2();
    }
    assert!(levels > FEW || (mass - 1.0).abs() < 0.01, "{mass} {kind:?}");
    let beyond = Array2::from_elem((2, 1), levels as u16);
    assert!(levels > 65_535 || laws::check_codec(&codec, &beyond, 2).is_err());
}

/// A model of one symbol, whose parameters are always these.
fn of_symbol(kind: SymbolKind, parameters: Vec<f32>) -> VaeModel {
    let (kind_json, levels) = (serde_json::to_string(&kind).unwrap(), kind.levels());
    let dense = |name: &str, inputs: &str, outputs: usize| {
        format!(
            r#"{{"inputs":["{inputs}"],"nodes":[{{"id":"{name}","inputs":["{inputs}"],"op":"dense","outputs":{outputs}}}],"outputs":["{name}"]}}"#
        )
    };
    let (encode, decode) = (dense("features", "x", 2), dense("channels", "z", 1));
    let (head, own) = (
        dense("head", "known", 1),
        dense("own", "known", parameters.len()),
    );
    let json = format!(
        r#"{{"version":8,"name":"symbol","data_shape":[1],
        "likelihood":{{"autoregressive":{{"window":{{"channels":1,"above":0,"side":0}},"symbols":1,"levels":{levels}}}}},
        "latent":{{"dim":1,"bin_precision":4,"log_sigma":[-3.0,1.0]}},"encode":{encode},
        "groups":[{{"latents":"z","shape":[1],"posterior":{{"inputs":["features"],"nodes":[
        {{"end":1,"id":"mean","inputs":["features"],"op":"slice","start":0}},
        {{"end":2,"id":"log_sigma","inputs":["features"],"op":"slice","start":1}}],"outputs":["mean","log_sigma"]}}}}],
        "decode":{decode},"head":[{{"function":{head}}}],
        "symbols":[{{"distribution":{kind_json},"scaling":{{"middle":0.0,"unit":1.0}},"function":{own}}}]}}"#
    );
    let mut tensors = BTreeMap::new();
    let mut put = |name: &str, shape: Vec<usize>, values: Vec<f32>| {
        tensors.insert(name.to_owned(), Tensor::new(shape, values).unwrap());
    };
    put("features.weight", vec![1, 2], vec![0.0; 2]);
    put("features.bias", vec![2], vec![0.0; 2]);
    put("channels.weight", vec![1, 1], vec![0.0]);
    put("channels.bias", vec![1], vec![0.0]);
    put("head.weight", vec![1, 1], vec![0.0]);
    put("head.bias", vec![1], vec![0.0]);
    put(
        "own.weight",
        vec![1, parameters.len()],
        vec![0.0; parameters.len()],
    );
    put("own.bias", vec![parameters.len()], parameters);
    bins::insert_standard_normal(&mut tensors, 4).unwrap();
    let description = Description::from_json(&json).unwrap();
    let file = ModelFile {
        description,
        tensors,
    };
    VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap()
}

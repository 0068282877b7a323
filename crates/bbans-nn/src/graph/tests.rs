use std::collections::{BTreeMap, BTreeSet};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::graph::{Function, Graph, Inputs};
use bbans_core::Result;

fn function(text: &str) -> Function {
    serde_json::from_str(text).unwrap()
}

fn tensors(list: &[(&str, &[usize], &[f32])]) -> BTreeMap<String, Tensor> {
    list.iter()
        .map(|(name, shape, values)| {
            let tensor = Tensor::new(shape.to_vec(), values.to_vec()).unwrap();
            ((*name).to_owned(), tensor)
        })
        .collect()
}

/// `y = x + relu(W x + b)`.
const RESIDUAL: &str = r#"{"inputs":["x"],"nodes":[
    {"id":"d","op":"dense","outputs":2,"inputs":["x"]},
    {"id":"r","op":"relu","inputs":["d"]},
    {"id":"y","op":"add","inputs":["x","r"]}],"outputs":["y"]}"#;

fn residual() -> BTreeMap<String, Tensor> {
    tensors(&[
        ("d.weight", &[2, 2], &[1.0, -2.0, 3.0, 0.5]),
        ("d.bias", &[2], &[0.25, 1.0]),
    ])
}

fn bound(text: &str, tensors: &BTreeMap<String, Tensor>) -> Result<Graph> {
    function(text).bind(&[vec![2]], tensors, &mut BTreeSet::new())
}

#[test]
fn a_residual_sum_has_its_known_answer() {
    let graph = bound(RESIDUAL, &residual()).unwrap();
    assert_eq!(graph.multiply_adds(), 4);
    // Two data: [1, 2] and [0, 1].
    let x = [1.0, 0.0, 2.0, 1.0];
    let y = graph.run(Path::detect(), Inputs::Values(&[&x]), 2).unwrap();
    assert_eq!(y, [[1.0 + 7.25, 0.0 + 3.25, 2.0 + 0.0, 1.0 + 1.5]]);
    let of_bytes = graph
        .run(Path::detect(), Inputs::Bytes(&[1, 2, 0, 1]), 2)
        .unwrap();
    assert_eq!(of_bytes, y);
}

#[test]
fn bytes_and_ranges_are_the_same_numbers() {
    let text = r#"{"inputs":["x"],"nodes":[
        {"id":"a","op":"dense","outputs":3,"inputs":["x"]},
        {"id":"t","op":"tanh","inputs":["a"]},
        {"id":"b","op":"dense","outputs":5,"inputs":["t"]}],"outputs":["b"]}"#;
    let values: Vec<f32> = (0..15).map(|i| (i * i % 7) as f32 - 2.5).collect();
    let tensors = tensors(&[
        ("a.weight", &[2, 3], &values[..6]),
        ("a.bias", &[3], &values[3..6]),
        ("b.weight", &[3, 5], &values),
        ("b.bias", &[5], &values[..5]),
    ]);
    let graph = bound(text, &tensors).unwrap();
    let data = [0u8, 3, 1, 0, 0, 0];
    let numbers = [0.0, 1.0, 0.0, 3.0, 0.0, 0.0];
    let whole = graph
        .run(Path::detect(), Inputs::Values(&[&numbers]), 3)
        .unwrap();
    assert_eq!(
        graph.run(Path::detect(), Inputs::Bytes(&data), 3).unwrap(),
        whole
    );
    let hidden = graph
        .hidden(Path::detect(), Inputs::Values(&[&numbers]), 3)
        .unwrap();
    let mut out = vec![0.0; 6];
    hidden.outputs(2..4, &mut out).unwrap();
    assert_eq!(out, whole[0][6..12]);
    assert!(hidden.outputs(4..6, &mut out).is_err());
    // A last node that has no ranges gives the same.
    let graph = bound(RESIDUAL, &residual()).unwrap();
    let hidden = graph
        .hidden(Path::detect(), Inputs::Values(&[&numbers]), 3)
        .unwrap();
    let mut out = vec![0.0; 3];
    hidden.outputs(1..2, &mut out).unwrap();
    assert_eq!(
        out,
        graph
            .run(Path::detect(), Inputs::Values(&[&numbers]), 3)
            .unwrap()[0][3..]
    );
}

#[test]
fn a_value_that_several_need_is_kept() {
    // An activation may not take the place of what is still needed, nor of an input.
    let text = r#"{"inputs":["x"],"nodes":[
        {"id":"a","op":"exp","inputs":["x"]},
        {"id":"b","op":"relu","inputs":["a"]},
        {"id":"c","op":"mul","inputs":["a","b"]},
        {"id":"d","op":"clamp","min":0.0,"max":2.0,"inputs":["c"]}],"outputs":["c","d","c","x"]}"#;
    let graph = bound(text, &BTreeMap::new()).unwrap();
    let y = graph
        .run(Path::detect(), Inputs::Values(&[&[0.0, 1.0]]), 1)
        .unwrap();
    let e = crate::math::exp(1.0);
    assert_eq!(y, [[1.0, e * e], [1.0, 2.0], [1.0, e * e], [0.0, 1.0]]);
}

#[test]
fn functions_come_back_from_their_json() {
    let text = r#"{"inputs":["x"],"nodes":[{"channels":4,"id":"c","inputs":["x"],"kernel":[3,3],"op":"conv2d"}],"outputs":["c"]}"#;
    let json = serde_json::to_value(function(text)).unwrap();
    assert_eq!(
        json,
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
}

#[test]
fn graphs_that_are_none_are_told() {
    let node =
        |id: &str, inputs: &str| format!(r#"{{"id":"{id}","op":"relu","inputs":[{inputs}]}}"#);
    let of = |nodes: &[String], outputs: &str| {
        format!(
            r#"{{"inputs":["x"],"nodes":[{}],"outputs":[{outputs}]}}"#,
            nodes.join(",")
        )
    };
    for (text, expected) in [
        (
            of(&[node("a", r#""b""#), node("b", r#""a""#)], r#""b""#),
            "node a takes b, which is not computed before it",
        ),
        (
            of(&[node("a", r#""a""#)], r#""a""#),
            "node a takes a, which is not computed before it",
        ),
        (
            of(&[node("a", r#""q""#)], r#""a""#),
            "node a takes q, which is neither",
        ),
        (
            of(&[node("a", r#""x""#)], r#""z""#),
            "list of outputs takes z",
        ),
        (
            of(&[node("a", r#""x""#), node("b", r#""x""#)], r#""b""#),
            "nobody uses a",
        ),
        (
            of(&[node("x", r#""x""#)], r#""x""#),
            "two values of a function have the name x",
        ),
        (of(&[], ""), "without outputs"),
        (
            of(&[node("a", r#""x","x""#)], r#""a""#),
            "node a: 2 inputs; expected 1",
        ),
    ] {
        let e = format!("{:#}", bound(&text, &BTreeMap::new()).unwrap_err());
        assert!(e.contains(expected), "expected {expected:?} in {e:?}");
    }
    for name in ["", "a b", "\u{e9}", &"n".repeat(101)] {
        let text = of(&[node(name, r#""x""#)], &format!("{name:?}"));
        let function: Function = serde_json::from_str(&text).unwrap();
        assert!(function.check_names().is_err(), "{name:?}");
    }
    let too_many: Vec<String> = (0..4097)
        .map(|i| node(&format!("n{i}"), r#""x""#))
        .collect();
    let e = bound(&of(&too_many, r#""x""#), &BTreeMap::new()).unwrap_err();
    assert!(e.to_string().contains("4097 nodes"), "{e}");
}

#[test]
fn shapes_and_tensors_that_do_not_fit_are_told_with_their_node() {
    for (name, tensor, expected) in [
        (
            "d.bias",
            None,
            "node d: the model has no tensor d.bias; expected one of shape [2]",
        ),
        (
            "d.weight",
            Some(vec![3, 2]),
            "tensor d.weight has shape [3, 2]; expected [2, 2]",
        ),
    ] {
        let mut tensors = residual();
        tensors.remove(name);
        if let Some(shape) = tensor {
            let values = vec![0.0; 6];
            tensors.insert(name.to_owned(), Tensor::new(shape, values).unwrap());
        }
        let e = format!("{:#}", bound(RESIDUAL, &tensors).unwrap_err());
        assert!(e.contains(expected), "expected {expected:?} in {e:?}");
    }
    let e = function(RESIDUAL)
        .bind(&[vec![2, 1]], &residual(), &mut BTreeSet::new())
        .unwrap_err();
    assert!(
        format!("{e:#}").contains("node y: inputs of shapes [[2, 1], [2]]"),
        "{e}"
    );
    // A second function may not have the weights again under the same name.
    let mut used = BTreeSet::new();
    function(RESIDUAL)
        .bind(&[vec![2]], &residual(), &mut used)
        .unwrap();
    let e = function(RESIDUAL)
        .bind(&[vec![2]], &residual(), &mut used)
        .unwrap_err();
    assert!(
        format!("{e:#}").contains("two nodes of the model have the name d"),
        "{e}"
    );
}

#[test]
fn work_and_memory_have_limits() {
    let square =
        r#"{"inputs":["x"],"nodes":[{"id":"m","op":"matmul","inputs":["x","x"]}],"outputs":["m"]}"#;
    let bind = |text: &str, shape: &[usize]| {
        function(text).bind(&[shape.to_vec()], &BTreeMap::new(), &mut BTreeSet::new())
    };
    let text = |n: usize| {
        let nodes: Vec<String> = (0..n)
            .map(|i| {
                let before = if i == 0 {
                    "x".to_owned()
                } else {
                    format!("m{}", i - 1)
                };
                format!(r#"{{"id":"m{i}","op":"matmul","inputs":["{before}","x"]}}"#)
            })
            .collect();
        let last = n - 1;
        format!(
            r#"{{"inputs":["x"],"nodes":[{}],"outputs":["m{last}"]}}"#,
            nodes.join(",")
        )
    };
    // 2^36 for a product of 2^12 by 2^12, and something for its numbers.
    assert!(bind(&text(31), &[4096, 4096]).is_ok());
    let e = bind(&text(32), &[4096, 4096]).unwrap_err();
    assert!(
        format!("{e:#}").contains("node m31: with it a datum takes"),
        "{e}"
    );
    let graph = bind(square, &[4096, 4096]).unwrap();
    let e = graph
        .run(Path::detect(), Inputs::Values(&[&[]]), 32)
        .unwrap_err();
    assert!(format!("{e:#}").contains("fewer lanes"), "{e}");
    let e = graph
        .run(Path::detect(), Inputs::Values(&[&[]]), 1)
        .unwrap_err();
    assert!(format!("{e:#}").contains("which the shapes"), "{e}");
    for shape in [vec![0, 3], vec![1; 9], vec![1 << 13, 1 << 13]] {
        assert!(bind(square, &shape).is_err(), "{shape:?}");
    }
    // A number beyond all bounds.
    let graph = bind(square, &[1, 1]).unwrap();
    let e = graph
        .run(Path::detect(), Inputs::Values(&[&[1e30]]), 1)
        .unwrap_err();
    assert!(format!("{e:#}").contains("infinite"), "{e}");
}

//! x
use bbans::{nn::ModelFile, *};
use bbans_core::{
    block::{self, Way},
    *,
};
use ndarray::*;
use std::io::Read;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = VaeModel::from_bytes(&std::fs::read(&args[1]).unwrap()).unwrap();
    let mut raw = vec![];
    std::fs::File::open(&args[2])
        .unwrap()
        .read_to_end(&mut raw)
        .unwrap();
    let dims = model.dims();
    let n = raw.len() / dims;
    let raw = &raw[raw.len() - n * dims..];
    let want: usize = args[3].parse().unwrap();
    let all = ArrayView2::from_shape((n, dims), raw).unwrap();
    let rows: Vec<usize> = (0..want).map(|i| i * n / want).collect();
    let mut data = all.select(Axis(0), &rows);
    if model.levels() == 2 {
        data.mapv_inplace(|v| (v > 0) as u8);
    }
    let t = std::time::Instant::now();
    let grid = Grid::new(&model).unwrap();
    println!("grid {:?}", t.elapsed());
    let bound: f64 = elbo(&model, data.view(), 16, 0, 0)
        .unwrap()
        .iter()
        .map(|e| e.bits())
        .sum();
    println!("bound {}", bound / want as f64);
    for effort in [0usize, 128, 512, 2048, 1 << 14] {
        let t = std::time::Instant::now();
        let mut total = 0.0;
        for row in data.rows() {
            let x = row.to_owned().insert_axis(Axis(0));
            let mut m = Message::with_initial_words(1);
            m.grow(1).unwrap();
            let b = m.bits();
            let code = PointCode {
                model: &model,
                grid: &grid,
                effort,
            };
            code.push(&mut m, &x).unwrap();
            total += m.bits() - b;
            assert_eq!(code.pop(&mut m).unwrap(), x);
            assert_eq!(m.bits(), b);
        }
        println!(
            "effort {effort}: {} {:?}",
            total / want as f64,
            t.elapsed() / want as u32
        );
    }
}

//! Any text as a description to be trained: refused, or a model that takes a step and is written.
#![no_main]

use std::ops::ControlFlow;

use bbans::VaeModel;
use bbans_train::{Arch, Dataset, Facts, Trainer, Values};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let facts = Facts::new(&[4, 4], 3);
    let Ok(mut arch) = Arch::from_json(text, &facts) else {
        return;
    };
    // What takes long, or much memory, is not what is looked for.
    let description = serde_json::to_value(&arch.description).unwrap();
    if greatest(&description) > 128.0 {
        return;
    }
    let schedule = &mut arch.schedule;
    (schedule.epochs, schedule.min_steps) = (1, 0);
    schedule.samples = schedule.samples.min(2);
    let symbols = (0..6 * 16).map(|i| (i * i % 3) as u16).collect();
    let data = Dataset::new(symbols, vec![4, 4], Values::Levels).unwrap();
    let Ok(mut trainer) = Trainer::new(&arch, "fuzz", data, None, None) else {
        return;
    };
    if let Ok(outcome) = trainer.run(None, |_| ControlFlow::Continue(())) {
        VaeModel::from_bytes(&outcome.model.to_bytes().unwrap()).unwrap();
    }
});

/// The greatest number of a description.
fn greatest(value: &Value) -> f64 {
    let of = |values: &mut dyn Iterator<Item = &Value>| values.map(greatest).fold(0.0, f64::max);
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::MAX),
        Value::Array(values) => of(&mut values.iter()),
        Value::Object(fields) => of(&mut fields.values()),
        _ => 0.0,
    }
}

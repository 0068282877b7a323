//! The work of `bbans notebook`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use plotters::prelude::SeriesLabelPosition;
use serde_json::Value;

use super::{Action, Args, Filter};
use crate::support::notebook::read;
use crate::support::plot::{Plot, Points};
use crate::support::terminal::{note, stdout};

pub(crate) fn run(args: &Args) -> Result<()> {
    let records = read(&args.file)?;
    let mut out = stdout()?.lock();
    let find = |number: usize| {
        let record = records.iter().find(|(n, _)| *n == number);
        record.map(|(_, record)| record).with_context(|| {
            let last = records.last().map_or(0, |(n, _)| *n);
            format!("no record {number}; the last one is {last}")
        })
    };
    match &args.action {
        None => list(&mut out, &records, &Filter::default()),
        Some(Action::List(filter)) => list(&mut out, &records, filter),
        Some(Action::Show { number }) => Ok(writeln!(out, "{:#}", find(*number)?)?),
        Some(Action::Compare { first, second }) => compare(&mut out, find(*first)?, find(*second)?),
        Some(Action::Plot {
            figure,
            output,
            filter,
        }) => plot(&records, figure, output, filter),
    }
}

impl Filter {
    fn keeps(&self, record: &Value) -> bool {
        let kind = self.kind.as_ref().is_none_or(|k| record["kind"] == **k);
        kind && self
            .with
            .as_ref()
            .is_none_or(|text| record.to_string().contains(text.as_str()))
    }
}

fn list(out: &mut impl Write, records: &[(usize, Value)], filter: &Filter) -> Result<()> {
    for (number, record) in records.iter().filter(|(_, r)| filter.keeps(r)) {
        let text = |key: &str| record[key].as_str().unwrap_or("").to_owned();
        writeln!(
            out,
            "{number:>4}  {}  {:<11}  {}",
            text("date"),
            text("kind"),
            summary(record)
        )?;
    }
    Ok(())
}

/// What a record found, in a line.
fn summary(record: &Value) -> String {
    let figure = |v: &Value| v.as_f64().map_or("?".to_owned(), |v| format!("{v:.5}"));
    let name = |v: &Value| v.as_str().unwrap_or("?").to_owned();
    match record["kind"].as_str() {
        Some("bench") => {
            let models = record["models"].as_array().into_iter().flatten();
            let models: Vec<String> = models
                .map(|m| {
                    let (gross, bound) =
                        (&m["gross_bits_per_dim"], &m["negative_elbo_bits_per_dim"]);
                    format!(
                        "{} {} (bound {})",
                        name(&m["model"]),
                        figure(gross),
                        figure(bound)
                    )
                })
                .collect();
            format!("{} on {}", models.join(", "), name(&record["data"]["name"]))
        }
        Some("train") => format!(
            "{} validation {} bits/dim after {} epochs",
            name(&record["model"]),
            figure(&record["validation_bits_per_dim"]),
            record["epochs"]
        ),
        _ => {
            let command = record["command"].as_array().into_iter().flatten();
            command
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        }
    }
}

/// All numbers of a record, by their paths; models and rivals by their names.
fn numbers(record: &Value) -> BTreeMap<String, f64> {
    fn walk(at: &str, value: &Value, found: &mut BTreeMap<String, f64>) {
        let join = |key: &str| {
            if at.is_empty() {
                key.to_owned()
            } else {
                format!("{at}.{key}")
            }
        };
        match value {
            Value::Number(n) => drop(n.as_f64().map(|n| found.insert(at.to_owned(), n))),
            Value::Object(fields) => {
                for (key, value) in fields {
                    walk(&join(key), value, found);
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let name = item["model"].as_str().or(item["rival"].as_str());
                    walk(&join(name.unwrap_or(&i.to_string())), item, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    walk("", record, &mut found);
    found
}

fn compare(out: &mut impl Write, first: &Value, second: &Value) -> Result<()> {
    let (first, second) = (numbers(first), numbers(second));
    writeln!(
        out,
        "{:<64} {:>14} {:>14}   change",
        "figure", "first", "second"
    )?;
    for (key, a) in &first {
        let Some(b) = second.get(key) else { continue };
        let change = if a == b {
            "same".to_owned()
        } else if *a == 0.0 {
            "-".to_owned()
        } else {
            format!("{:+.3}%", 100.0 * (b / a - 1.0))
        };
        writeln!(
            out,
            "{key:<64} {:>14} {:>14}   {change}",
            short(*a),
            short(*b)
        )?;
    }
    for (key, _) in first.iter().filter(|(k, _)| !second.contains_key(*k)) {
        writeln!(out, "{key:<64} only in the first")?;
    }
    for (key, _) in second.iter().filter(|(k, _)| !first.contains_key(*k)) {
        writeln!(out, "{key:<64} only in the second")?;
    }
    Ok(())
}

fn short(v: f64) -> String {
    if v.fract() == 0.0 && v.abs() < 1e15 {
        format!("{v}")
    } else {
        format!("{v:.6}")
    }
}

fn plot(records: &[(usize, Value)], figure: &str, folder: &Path, filter: &Filter) -> Result<()> {
    let mut lines: BTreeMap<String, Points> = BTreeMap::new();
    for (number, record) in records.iter().filter(|(_, r)| filter.keeps(r)) {
        for (key, value) in numbers(record) {
            let its = key == figure || key.ends_with(&format!(".{figure}"));
            if its {
                let name = key.strip_suffix(figure).unwrap_or("").trim_end_matches('.');
                let name = name.strip_prefix("models.").unwrap_or(name);
                let name = if name.is_empty() { figure } else { name };
                lines
                    .entry(name.to_owned())
                    .or_default()
                    .push((*number as f64, value));
            }
        }
    }
    if lines.is_empty() {
        bail!("no record has the figure {figure}; `bbans notebook show N` lists those of record N");
    }
    let name: String = figure
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    // A figure that was found once is a point.
    let (points, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, p)| p.len() == 1);
    Plot {
        name: &name,
        title: &format!("{figure} over time"),
        x: "record of the notebook",
        y: figure,
        points,
        lines,
        legend: SeriesLabelPosition::UpperRight,
    }
    .write(folder)?;
    note!("{}", folder.join(format!("{name}.svg")).display());
    Ok(())
}

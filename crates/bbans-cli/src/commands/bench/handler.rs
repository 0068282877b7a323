//! The work of `bbans bench`.

use std::io::Write;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bbans::block::Way;
use bbans::{FileModel, VaeModel};
use indicatif::ProgressBar;
use ndarray::ArrayView2;
use serde_json::json;

use super::expect::Expectations;
use super::measure::{bound, by_symbol, causes, code, per_datum};
use super::report::{Bench, ModelFigures, csv, figures, folder, table};
use super::subject::Subject;
use super::{Args, rivals, truth};
use crate::support::bins;
use crate::support::files::{Output, OutputFolder, Protected, is_dash};
use crate::support::terminal::stdout;
use crate::support::{machine, models, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    let notebook = args.notebook.open()?;
    if args.truth {
        return truth::run(args, notebook.as_ref());
    }
    // What is wrong with the options is said before any work.
    let options = args.coding.options()?;
    let expectations = args.expect.as_deref().map(Expectations::read).transpose()?;
    let models = load(args)?;
    let mut subject = Subject::read(args, &models[0].1)?;
    let symbols: Vec<_> = models
        .iter()
        .map(|(_, model, _)| subject.symbols(model))
        .collect::<Result<_>>()?;
    subject.shape_as(&models[0].1);
    let csv_alone = args.csv.as_deref().is_some_and(is_dash);
    if args.json && csv_alone {
        bail!("--csv - and --json both write to standard output; name a file for the CSV");
    }
    let models_given = args.model.iter().map(PathBuf::from);
    let read = args.data.iter().chain(&args.expect).cloned();
    let protected = Protected::inputs(read.chain(models_given));
    let csv_file = args
        .csv
        .as_deref()
        .map(|path| Output::create(path, args.force, &protected, None));
    let csv_file = csv_file.transpose()?;
    let report = (args.report.as_deref()).map(|path| OutputFolder::create(path, None, false));
    let report = report.transpose()?;
    if let Some(expectations) = &expectations {
        let names: Vec<&str> = models.iter().map(|(_, model, _)| model.name()).collect();
        expectations.check_models(&names)?;
    }
    if let (Some(expectations), Some(notebook)) = (&expectations, &notebook) {
        notebook.append("expectation", json!({ "expected": expectations.to_json() }))?;
    }

    let mut bench = Bench {
        args,
        data: &subject,
        models: Vec::new(),
        rivals: Vec::new(),
    };
    for ((name, model, bytes), data) in models.iter().zip(&symbols) {
        machine::reset_peak_memory();
        let coded = code(model, &subject.content, options).with_context(|| name.clone())?;
        let peak_memory = machine::peak_memory();
        let particles = args.coding.particles;
        let samples = args.samples();
        let bound = bound(model, data, samples.into(), args.seed, options.threads)?;
        let way = Way {
            particles: particles.into(),
            coupled: options.coupled,
            ..Way::plain(options.lanes)
        };
        let causes = causes(model, data, way, args.seed, options.threads)?;
        let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
        bins::warn(model, view);
        let per_datum = match args.report {
            Some(_) => per_datum(model, data, options.threads)?,
            None => Vec::new(),
        };
        bench.models.push(ModelFigures {
            name: model.name().to_owned(),
            fingerprint: model.fingerprint(),
            simd: model.vae().path().name(),
            model_bytes: *bytes,
            coded,
            peak_memory,
            bound,
            samples,
            particles,
            causes,
            by_symbol: by_symbol(model, data, args.seed, options.threads)?,
            per_datum,
        });
    }
    let (data, levels) = subject.for_rivals();
    let bar = progress::styled(
        ProgressBar::new(0),
        "rivals {wide_bar} {pos} of {len} files",
    );
    bench.rivals = rivals::measure(
        args.rivals,
        &data,
        levels,
        subject.text()?,
        options.threads,
        &mut |n, of| {
            bar.set_length(of as u64);
            bar.set_position(n as u64);
        },
    )?;
    bar.finish_and_clear();

    let document = figures::to_json(&bench);
    let verdicts = expectations.map(|e| e.check(&document));
    if let Some(mut out) = csv_file {
        csv::write(&mut out, &bench)?;
        out.commit()?;
    }
    if let Some(out) = report {
        folder::write(out.path(), &bench, &document)?;
        out.commit()?;
    }
    if let Some(notebook) = &notebook {
        let mut record = document.clone();
        if let Some(verdicts) = &verdicts {
            record["expectations"] = verdicts.to_json();
        }
        notebook.append("bench", record)?;
    }
    let mut out = stdout()?.lock();
    if args.json {
        let mut document = document;
        if let Some(verdicts) = &verdicts {
            document["expectations"] = verdicts.to_json();
        }
        writeln!(out, "{document:#}")?;
    } else if csv_alone {
        table::print(&mut std::io::stderr().lock(), &bench)?;
    } else {
        table::print(&mut out, &bench)?;
        if let Some(verdicts) = &verdicts {
            verdicts.print(&mut out)?;
        }
    }
    drop(out);
    match verdicts.map_or(0, |v| v.broken()) {
        0 => Ok(()),
        broken => bail!("{broken} of the expectations did not hold"),
    }
}

/// Name, model and size of its file, of each model.
fn load(args: &Args) -> Result<Vec<(String, VaeModel, u64)>> {
    let mut names: Vec<&str> = args.model.iter().map(String::as_str).collect();
    if names.is_empty() {
        names.push(models::default_name());
    }
    let load = |name: &str| {
        let size = models::bytes(name)?.len() as u64;
        Ok((name.to_owned(), models::load(name)?, size))
    };
    names.into_iter().map(load).collect()
}

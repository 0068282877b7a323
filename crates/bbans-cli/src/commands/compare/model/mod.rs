//! `bbans compare model`.

mod datum;
mod posteriors;
mod report;
mod statistics;

pub(super) use datum::{DataCode, Datum, LatentCode, Piece, Sent};
pub(super) use statistics::Statistics;

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bbans::{Elbo, VaeModel, block};
use ndarray::{Array2, ArrayView2, Axis};

use super::ModelArgs;
use super::codes::{self, OfData};
use super::plots;
use crate::support::chain::chain;
use crate::support::files::{Output, OutputFolder, Protected};
use crate::support::rows::DataSet;
use crate::support::terminal::stdout;
use crate::support::threads::on_threads;
use crate::support::{data, files, memory, models};
use posteriors::Posteriors;
use report::Report;

/// Samples of z for each image in the estimators of KL.
const KL_SAMPLES: usize = 16;
/// The generator of their stream.
const KL_SEED: u64 = 0x6b31;

/// About what a draw of a latent's candidate takes; and how many a candidate of the ring toss code takes.
const SECONDS_A_DRAW: f64 = 1e-8;
const STEPS_OF_A_TOSS: f64 = 10.0;
/// Runs that would take longer are refused.
const MOST_HOURS: f64 = 2.0;

/// One image, in bits.
pub(super) struct Image {
    pub(super) bound: Elbo,
    /// `KL(q, p)` over the bins, of each latent: in a hierarchy given a draw of the groups above.
    pub(super) kl: Vec<f64>,
    /// `log2 max(q/p)` of each latent, likewise.
    pub(super) log2_max_ratio: Vec<f64>,
    /// Bits-back alone in a block: the whole message.
    pub(super) alone: f64,
    /// Growth of the chain's message.
    pub(super) net: f64,
    /// The chain's message with this image, everything included.
    pub(super) chain: f64,
    /// One for each code.
    sent: Vec<Option<Sent>>,
    /// `log p/q` of samples of `q`, in nats.
    log_ratios: Vec<f64>,
}

impl Image {
    /// By a code that is not left out.
    pub(super) fn sent(&self, code: usize) -> Sent {
        self.sent[code].unwrap_or_default()
    }

    /// `KL(q, p)` over the bins, of all latents.
    pub(super) fn kl_bits(&self) -> f64 {
        self.kl.iter().sum()
    }
}

pub(super) fn run(args: &ModelArgs) -> Result<()> {
    let start = Instant::now();
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    let (name, data) = read(args, &model)?;
    // Before the work: a file that is in the way is said at once.
    let read = args.data.iter().cloned();
    let protected = Protected::inputs(read.chain(args.model.clone().map(std::path::PathBuf::from)));
    let csv = args
        .csv
        .as_deref()
        .map(|path| Output::create(path, args.force, &protected, None));
    let csv = csv.transpose()?;
    if args.json && args.csv.as_deref().is_some_and(files::is_dash) {
        bail!("--csv - and --json both write to standard output; name a file for the CSV");
    }
    let plots = (args.plots.as_deref()).map(|folder| OutputFolder::create(folder, None, false));
    let plots = plots.transpose()?;
    let statistics = Statistics::new(&model, args.budget)?;
    check_time(args, &statistics, data.count())?;
    let mut codes = codes::of_model(&statistics)?;
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
    let mut images = send_all(args, &model, &codes, view)?;
    let left_out = leave_out(&mut codes, &mut images);
    let chain = chain(&model, view)?;
    let bits = chain.net_bits.iter().zip(&chain.gross_bits);
    for (image, (&net, &gross)) in images.iter_mut().zip(bits) {
        (image.net, image.chain) = (net, gross);
    }

    if let Some(mut out) = csv {
        write_csv(&mut out, &codes, &images)?;
        out.commit()?;
    }
    if let Some(out) = plots {
        plots::model(out.path(), data.dims(), &codes, &images)?;
        out.commit()?;
    }
    let report = Report {
        args,
        model: &model,
        name: &name,
        dims: data.dims(),
        codes: &codes,
        statistics: &statistics,
        images: &images,
        chain_bits: chain.stored_bits,
        left_out: &left_out,
        seconds: start.elapsed().as_secs_f64(),
    };
    if args.csv.as_deref().is_some_and(files::is_dash) {
        return report.print(&mut std::io::stderr().lock());
    }
    let mut out = stdout()?.lock();
    if args.json {
        return Ok(writeln!(out, "{:#}", report.to_json())?);
    }
    report.print(&mut out)
}

/// Refuses what would take hours.
fn check_time(args: &ModelArgs, statistics: &Statistics<'_>, count: usize) -> Result<()> {
    // Ordered random coding draws every candidate of the budget, for every latent once. The ring toss code draws as many as
    // its bound says, for sender and receiver, and looks up each among the samples.
    let of_ring_toss = |k: usize| 2.0 * STEPS_OF_A_TOSS * statistics.log2_bound(&(k..k + 1)).exp2();
    let latents = statistics.latents();
    let ordered = f64::from(args.budget).exp2() * latents as f64;
    let draws = count as f64 * (ordered + (0..latents).map(of_ring_toss).sum::<f64>());
    let hours = draws * SECONDS_A_DRAW / args.threads.get().get() as f64 / 3600.0;
    if hours > MOST_HOURS {
        bail!(
            "{count} images with 2^{} candidates a group take as long as {draws:.1e} draws, about {hours:.1} hours; \
             expected at most {MOST_HOURS}: use a smaller --budget or --limit",
            args.budget
        );
    }
    Ok(())
}

/// Leaves out the codes that have nothing for some image, and gives their names.
fn leave_out(codes: &mut Vec<OfData>, images: &mut [Image]) -> Vec<String> {
    let mut left_out = Vec::new();
    for i in (0..codes.len()).rev() {
        if images.iter().any(|image| image.sent[i].is_none()) {
            left_out.push(codes.remove(i).name);
            for image in &mut *images {
                image.sent.remove(i);
            }
        }
    }
    left_out
}

/// The data, 0 and 1, and their name.
fn read(args: &ModelArgs, model: &VaeModel) -> Result<(String, DataSet)> {
    let (name, mut reader) = match args.data.clone().or_else(data::real_test_set) {
        Some(path) => (path.display().to_string(), files::open_data(&path, None)?.0),
        None => {
            let demo = models::load(data::DEMO_MODEL)?;
            let bytes = memory::restore(&demo, data::DEMO, args.threads.get())?;
            let reader = bbans::DataReader::open(io::Cursor::new(bytes), "demo.idx")?;
            let name = format!("samples of {} (built in, no real data)", data::DEMO_MODEL);
            (name, reader)
        }
    };
    bbans::bind(model, &mut reader).with_context(|| name.clone())?;
    let mut data = DataSet::read(reader).with_context(|| name.clone())?;
    if let Some(limit) = args.limit {
        data = data.spread(limit as usize);
    }
    if data.count() == 0 {
        bail!("{name}: no data; there is nothing to compare");
    }
    bbans::symbols(model, &mut data.symbols).with_context(|| name.clone())?;
    Ok((name, data))
}

/// All images by all two-part codes; the numbers of the messages do not depend on the threads.
fn send_all(
    args: &ModelArgs,
    model: &VaeModel,
    codes: &[OfData],
    data: ArrayView2<'_, u16>,
) -> Result<Vec<Image>> {
    on_threads(data, args.threads.get(), |first, rows| {
        let one = |(j, row): (usize, ArrayView2<'_, u16>)| {
            image(args, model, codes, &row.to_owned(), (first + j) as u64)
        };
        rows.axis_chunks_iter(Axis(0), 1)
            .enumerate()
            .map(one)
            .collect()
    })
}

fn image(
    args: &ModelArgs,
    model: &VaeModel,
    codes: &[OfData],
    x: &Array2<u16>,
    number: u64,
) -> Result<Image> {
    let bound = bbans::elbo(model, x.view(), args.samples.into(), args.seed, number)?[0];
    let alone = block::encode(model, x.view(), 1)?;
    let alone_bits = 32.0 * alone.words.len() as f64;
    if block::decode(model, alone.plan, alone.words)? != *x {
        bail!("image {number} does not decode by bits-back; this is a bug, please report it");
    }
    let posteriors = Posteriors::new(model, x)?;
    let datum = Datum {
        seed: args.seed,
        model,
        x,
        posteriors: &posteriors,
        number,
    };
    let send = |code: &OfData| {
        let start = Instant::now();
        let sent = code.code.send(&datum)?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(sent.map(|sent| Sent { seconds, ..sent }))
    };
    let sent = codes.iter().map(send).collect::<Result<_>>()?;
    let draws = posteriors.draws(KL_SAMPLES, args.seed ^ KL_SEED, number)?;
    Ok(Image {
        bound,
        kl: draws.kl_bits,
        log2_max_ratio: draws.log2_max_ratio,
        alone: alone_bits,
        net: 0.0,
        chain: 0.0,
        sent,
        log_ratios: draws.log_ratios,
    })
}

fn write_csv(out: &mut impl Write, codes: &[OfData], images: &[Image]) -> Result<()> {
    writeln!(
        out,
        "image,code,part_1_bits,part_2_bits,total_bits,candidates,seconds,bound_kl_bits,\
         bound_reconstruction_bits,kl_bits,log2_max_ratio"
    )?;
    for (i, image) in images.iter().enumerate() {
        let end = format!(
            "{:.3},{:.3},{:.3},{:.3}",
            image.bound.kl_bits,
            image.bound.reconstruction_bits,
            image.kl_bits(),
            image.log2_max_ratio.iter().sum::<f64>()
        );
        for (what, bits) in [
            ("bits-back net", image.net),
            ("bits-back alone", image.alone),
        ] {
            writeln!(out, "{i},{what},,,{bits:.3},,,{end}")?;
        }
        for (number, code) in codes.iter().enumerate() {
            let sent = image.sent(number);
            writeln!(
                out,
                "{i},\"{}\",{:.3},{:.3},{:.3},{},{:.6},{end}",
                code.name,
                sent.part_1,
                sent.part_2,
                sent.total(),
                sent.candidates,
                sent.seconds
            )?;
        }
    }
    Ok(())
}

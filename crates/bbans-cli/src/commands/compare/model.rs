//! `bbans compare model`.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bbans::{Codec, Elbo, FileModel, LatentModel, VaeModel, block};
use bbans_twopart::estimators::{NAMES, estimate};
use bbans_twopart::{Code, Pair, Shared, check_empty, empty_message, message_bits};
use ndarray::{Array2, ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::ModelArgs;
use super::codes::{Codes, Group, pairs};
use super::plots;
use crate::support::chain::chain;
use crate::support::files::{Output, Protected};
use crate::support::rows::DataSet;
use crate::support::terminal::stdout;
use crate::support::threads::on_threads;
use crate::support::{data, files, memory, models};

/// Samples of z for each image in the estimators of KL.
const KL_SAMPLES: usize = 16;

/// About what a draw of a latent's candidate takes.
const SECONDS_A_DRAW: f64 = 1e-8;
/// Runs that would take longer are refused.
const MOST_HOURS: f64 = 2.0;

/// What one code gave for one image, in bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) part_1: f64,
    pub(super) part_2: f64,
    pub(super) candidates: u64,
    pub(super) seconds: f64,
}

impl Sent {
    pub(super) fn total(&self) -> f64 {
        self.part_1 + self.part_2
    }
}

/// One image, in bits.
pub(super) struct Image {
    pub(super) bound: Elbo,
    /// `KL(q, p)` over the bins.
    pub(super) kl: f64,
    /// `log2 max(q/p)` of all latents.
    pub(super) log2_max_ratio: f64,
    /// Bits-back alone in a block: the whole message.
    pub(super) alone: f64,
    /// Growth of the chain's message.
    pub(super) net: f64,
    /// The chain's message with this image, everything included.
    pub(super) chain: f64,
    /// One for each code.
    pub(super) sent: Vec<Sent>,
    /// `log p/q` of samples of `q`, in nats.
    log_ratios: Vec<f64>,
}

pub(super) fn run(args: &ModelArgs) -> Result<()> {
    let start = Instant::now();
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    let (name, data) = read(args, &model)?;
    // Ordered random coding draws every candidate of the budget, for every latent once.
    let draws = f64::from(args.budget).exp2() * model.vae().latents() as f64 * data.count() as f64;
    let hours = draws * SECONDS_A_DRAW / args.threads.get().get() as f64 / 3600.0;
    if hours > MOST_HOURS {
        bail!(
            "{} images with 2^{} candidates a group take {draws:.1e} draws, about {hours:.1} hours; \
             expected at most {MOST_HOURS}: use a smaller --budget or --limit",
            data.count(),
            args.budget
        );
    }
    // Before the work: a file that is in the way is said at once.
    let read = args.data.iter().cloned();
    let protected = Protected::inputs(read.chain(args.model.clone().map(std::path::PathBuf::from)));
    let csv = args
        .csv
        .as_deref()
        .map(|path| Output::create(path, args.force, &protected, None));
    let csv = csv.transpose()?;
    let codes = Codes::new(&model, args.budget)?;
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.bytes)?;
    let mut images = send_all(args, &model, &codes, view)?;
    let chain = chain(&model, view)?;
    let bits = chain.net_bits.iter().zip(&chain.gross_bits);
    for (image, (&net, &gross)) in images.iter_mut().zip(bits) {
        (image.net, image.chain) = (net, gross);
    }

    if let Some(mut out) = csv {
        write_csv(&mut out, &codes, &images)?;
        out.commit()?;
    }
    if let Some(folder) = &args.plots {
        plots::model(folder, data.dims(), &codes.names(), &images)?;
    }
    let report = Report {
        args,
        model: &model,
        name: &name,
        dims: data.dims(),
        codes: &codes,
        images: &images,
        chain_bits: chain.stored_bits,
        seconds: start.elapsed().as_secs_f64(),
    };
    let mut out = stdout()?.lock();
    if args.json {
        return Ok(writeln!(out, "{:#}", report.to_json())?);
    }
    report.print(&mut out)
}

/// The data, 0 and 1, and their name.
fn read(args: &ModelArgs, model: &VaeModel) -> Result<(String, DataSet)> {
    let (name, reader) = match args.data.clone().or_else(data::real_test_set) {
        Some(path) => (path.display().to_string(), files::open_data(&path)?.0),
        None => {
            let demo = models::load(data::DEMO_MODEL)?;
            let bytes = memory::restore(&demo, data::DEMO, args.threads.get())?;
            let reader = bbans::DataReader::open(io::Cursor::new(bytes), "demo.idx")?;
            let name = format!("samples of {} (built in, no real data)", data::DEMO_MODEL);
            (name, reader)
        }
    };
    bbans::check_fits(model, reader.source()).with_context(|| name.clone())?;
    let mut data = DataSet::read(reader).with_context(|| name.clone())?;
    if let Some(limit) = args.limit {
        data = data.spread(limit as usize);
    }
    if data.count() == 0 {
        bail!("{name}: no data; there is nothing to compare");
    }
    bbans::symbols(model, &mut data.bytes).with_context(|| name.clone())?;
    Ok((name, data))
}

/// All images by all two-part codes; the numbers of the messages do not depend on the threads.
fn send_all(
    args: &ModelArgs,
    model: &VaeModel,
    codes: &Codes,
    data: ArrayView2<'_, u8>,
) -> Result<Vec<Image>> {
    on_threads(data, args.threads.get(), |first, rows| {
        let one = |(j, row): (usize, ArrayView2<'_, u8>)| {
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
    codes: &Codes,
    x: &Array2<u8>,
    number: u64,
) -> Result<Image> {
    let latents = pairs(model, x)?.remove(0);
    let bound = bbans::elbo(model, x.view(), args.samples.into(), args.seed, number)?[0];
    let alone = block::encode(model, x.view(), 1)?;
    let alone_bits = 32.0 * alone.words.len() as f64;
    if block::decode(model, alone.plan, alone.words)? != *x {
        bail!("image {number} does not decode by bits-back; this is a bug, please report it");
    }
    let sent = codes.send(&Datum {
        args,
        model,
        x,
        latents: &latents,
        number,
    })?;
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed ^ 0x6b31);
    rng.set_stream(number);
    let log_ratios = (0..KL_SAMPLES).map(|_| {
        let log_r = |pair: &Pair| {
            let uniform = (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
            -pair.ratio(pair.symbol_of(uniform)).ln()
        };
        latents.iter().map(log_r).sum()
    });
    Ok(Image {
        bound,
        kl: latents.iter().map(Pair::kl_bits).sum(),
        log2_max_ratio: latents.iter().map(Pair::log2_max_ratio).sum(),
        alone: alone_bits,
        net: 0.0,
        chain: 0.0,
        sent,
        log_ratios: log_ratios.collect(),
    })
}

/// One image, to be sent by two-part codes.
pub(super) struct Datum<'a> {
    args: &'a ModelArgs,
    model: &'a VaeModel,
    x: &'a Array2<u8>,
    latents: &'a [Pair],
    number: u64,
}

impl Datum<'_> {
    /// Sends the image by one code, part 1 in groups of latents; decodes and compares.
    pub(super) fn send<C: Code>(&self, groups: &[Group<C>]) -> Result<Sent> {
        let start = Instant::now();
        let shared = |group| Shared::new(self.args.seed, self.number, group as u64);
        let mut z = Array2::<u16>::zeros((1, self.latents.len()));
        let (mut indices, mut candidates) = (Vec::new(), 0);
        for (i, group) in groups.iter().enumerate() {
            let latents = &self.latents[group.latents.clone()];
            let chosen = group.code.choose(latents, &mut shared(i))?;
            let chosen = chosen.context("a code that does not apply and has no other")?;
            for (k, &symbol) in group.latents.clone().zip(&chosen.z) {
                z[(0, k)] = u16::try_from(symbol)?;
            }
            candidates += chosen.candidates;
            indices.push(chosen.index);
        }
        // What the receiver pops first is pushed last.
        let mut message = empty_message()?;
        self.model.likelihood(&z)?.push(&mut message, self.x)?;
        let part_2 = message_bits(&message);
        for (group, index) in groups.iter().zip(&indices).rev() {
            group.code.push(&mut message, index)?;
        }
        let part_1 = message_bits(&message) - part_2;

        let mut received = Array2::<u16>::zeros(z.dim());
        for (i, group) in groups.iter().enumerate() {
            let index = group.code.pop(&mut message)?;
            let prior: Vec<_> = self.latents[group.latents.clone()]
                .iter()
                .map(|pair| pair.prior().clone())
                .collect();
            let symbols = group.code.receive(&prior, &index, &mut shared(i))?;
            for (k, symbol) in group.latents.clone().zip(symbols) {
                received[(0, k)] = u16::try_from(symbol)?;
            }
        }
        let x = self.model.likelihood(&received)?.pop(&mut message)?;
        check_empty(&message)?;
        if x != *self.x {
            bail!(
                "image {} does not decode by a two-part code; this is a bug, please report it",
                self.number
            );
        }
        Ok(Sent {
            part_1,
            part_2,
            candidates,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

fn write_csv(out: &mut impl Write, codes: &Codes, images: &[Image]) -> Result<()> {
    writeln!(
        out,
        "image,code,part_1_bits,part_2_bits,total_bits,candidates,seconds,bound_kl_bits,\
         bound_reconstruction_bits,kl_bits,log2_max_ratio"
    )?;
    for (i, image) in images.iter().enumerate() {
        let end = format!(
            "{:.3},{:.3},{:.3},{:.3}",
            image.bound.kl_bits, image.bound.reconstruction_bits, image.kl, image.log2_max_ratio
        );
        for (what, bits) in [
            ("bits-back net", image.net),
            ("bits-back alone", image.alone),
        ] {
            writeln!(out, "{i},{what},,,{bits:.3},,,{end}")?;
        }
        for (name, sent) in codes.names().iter().zip(&image.sent) {
            writeln!(
                out,
                "{i},\"{name}\",{:.3},{:.3},{:.3},{},{:.6},{end}",
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

struct Report<'a> {
    args: &'a ModelArgs,
    model: &'a VaeModel,
    name: &'a str,
    dims: usize,
    codes: &'a Codes,
    images: &'a [Image],
    chain_bits: f64,
    seconds: f64,
}

impl Report<'_> {
    /// Mean over the images.
    fn mean(&self, of: impl Fn(&Image) -> f64) -> f64 {
        self.images.iter().map(of).sum::<f64>() / self.images.len() as f64
    }

    /// Number of images from which on the chain, everything included, is below code `code`.
    fn crossing(&self, code: usize) -> Option<usize> {
        let mut total = 0.0;
        let below = |image: &Image| {
            total += image.sent[code].total();
            image.chain < total
        };
        let below: Vec<bool> = self.images.iter().map(below).collect();
        let last_above = below.iter().rposition(|below| !below);
        let first = last_above.map_or(0, |i| i + 1);
        (first < below.len()).then_some(first + 1)
    }

    fn estimators(&self) -> Vec<(&'static str, f64)> {
        let all = self
            .images
            .iter()
            .flat_map(|i| i.log_ratios.iter().copied());
        let found = estimate(all);
        NAMES.iter().zip(found).map(|(n, e)| (*n, e.mean)).collect()
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        let bound = self.mean(|i| i.bound.bits());
        let row = |out: &mut dyn Write, name: &str, bits: f64, rest: String| {
            writeln!(
                out,
                "{name:<38} {bits:>9.2} {:>9.5} {:>+8.2}%{rest}",
                bits / self.dims as f64,
                100.0 * (bits / bound - 1.0)
            )
        };
        writeln!(out, "model  {}", self.model.name())?;
        writeln!(out, "data   {}: {} images\n", self.name, self.images.len())?;
        writeln!(
            out,
            "{:<38} {:>9} {:>9} {:>9}",
            "bits an image", "bits", "bits/dim", "bound"
        )?;
        let kl = self.mean(|i| i.bound.kl_bits);
        let samples = self.args.samples;
        row(
            out,
            "variational upper bound",
            bound,
            format!(
                "  KL {kl:.2} + reconstruction {:.2} ({samples} samples)",
                bound - kl
            ),
        )?;
        row(out, "bits-back, net", self.mean(|i| i.net), String::new())?;
        row(
            out,
            "bits-back, all in one chain, gross",
            self.chain_bits / self.images.len() as f64,
            String::new(),
        )?;
        row(
            out,
            "bits-back, every image alone, gross",
            self.mean(|i| i.alone),
            String::new(),
        )?;
        for (i, name) in self.codes.names().iter().enumerate() {
            let rest = format!(
                "  part 1 {:.2}, part 2 {:.2}; {:.0} candidates, {:.2} ms{}",
                self.mean(|image| image.sent[i].part_1),
                self.mean(|image| image.sent[i].part_2),
                self.mean(|image| image.sent[i].candidates as f64),
                1e3 * self.mean(|image| image.sent[i].seconds),
                match self.crossing(i) {
                    Some(n) => format!("; chain below from {n} on"),
                    None => "; chain not below".to_owned(),
                }
            );
            row(out, name, self.mean(|image| image.sent[i].total()), rest)?;
        }
        writeln!(
            out,
            "\nKL over the bins {:.2} bits, log2 max(q/p) {:.2} bits an image, all latents together",
            self.mean(|i| i.kl),
            self.mean(|i| i.log2_max_ratio)
        )?;
        let nats = self.mean(|i| i.kl) * std::f64::consts::LN_2;
        let estimators = self.estimators();
        writeln!(
            out,
            "estimators of KL from {KL_SAMPLES} samples of whole z an image: closed form {nats:.2} nats, \
             k1 {:.2}, k3 {:.2}",
            estimators[0].1, estimators[2].1
        )?;
        writeln!(
            out,
            "part 1 in {} groups of latents (budget 2^{}), fixed by samples of the model; seed {}",
            self.codes.groups(),
            self.args.budget,
            self.args.seed
        )?;
        writeln!(
            out,
            "every message was decoded and compared; {:.1} s on {} threads",
            self.seconds,
            self.args.threads.get()
        )?;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let names = self.codes.names();
        let codes = names.iter().enumerate().map(|(i, name)| {
            json!({
                "code": name,
                "part_1_bits": self.mean(|image| image.sent[i].part_1),
                "part_2_bits": self.mean(|image| image.sent[i].part_2),
                "total_bits": self.mean(|image| image.sent[i].total()),
                "candidates": self.mean(|image| image.sent[i].candidates as f64),
                "seconds": self.mean(|image| image.sent[i].seconds),
                "chain_below_from": self.crossing(i),
            })
        });
        let codes: Vec<Value> = codes.collect();
        let estimators: serde_json::Map<String, Value> = self
            .estimators()
            .into_iter()
            .map(|(name, mean)| (name.to_owned(), json!(mean)))
            .collect();
        json!({
            "model": self.model.name(),
            "data": self.name,
            "count": self.images.len(),
            "dims": self.dims,
            "budget_bits": self.args.budget,
            "seed": self.args.seed,
            "bound_kl_bits": self.mean(|i| i.bound.kl_bits),
            "bound_reconstruction_bits": self.mean(|i| i.bound.reconstruction_bits),
            "kl_bits": self.mean(|i| i.kl),
            "log2_max_ratio": self.mean(|i| i.log2_max_ratio),
            "kl_estimators_nats": estimators,
            "bits_back_net_bits": self.mean(|i| i.net),
            "bits_back_chain_bits": self.chain_bits / self.images.len() as f64,
            "bits_back_alone_bits": self.mean(|i| i.alone),
            "two_part": codes,
            "groups": self.codes.groups(),
            "decoded_and_compared": true,
            "seconds": self.seconds,
        })
    }
}

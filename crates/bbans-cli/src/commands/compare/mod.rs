//! `bbans compare`.

mod channel;
mod codes;
mod family;
pub(crate) mod handler;
mod kl;
mod model;
mod plots;
mod toy;

use std::path::PathBuf;

use clap::Subcommand;

use super::Threads;
use family::Family;

/// Hold actual bits against the variational bound: bits-back and two-part codes side by side
///
/// The bound KL(q, p) + E[-log2 p(x|z)] has two readings as a real code. Bits-back reaches it net of
/// its initial bits. A two-part code lets the receiver draw z ~ q from shared randomness, at a cost
/// near KL, and then codes x given z. docs/two-part-codes.md tells the story.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Model(ModelArgs),
    Toy(ToyArgs),
    Channel(ChannelArgs),
    Kl(KlArgs),
}

/// Every image of a data set by bits-back and by every two-part code, each decoded and compared
#[derive(Debug, clap::Args)]
struct ModelArgs {
    /// Data set: IDX, .amat, .npy (each also .gz), PNG or a folder of PNG files [default: as for
    /// bench]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Model: a built-in name (see `bbans models`) or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Take this many data, spread evenly over the set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Candidates of a group of latents, about at most 2^BITS
    #[arg(long, default_value_t = 16, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=30))]
    budget: u32,
    /// Samples of z for each datum in the bound
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    samples: u16,
    /// Seed of the shared randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    /// Write a row for each image and code
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Overwrite the CSV file
    #[arg(short, long)]
    force: bool,
    /// Write plots (SVG and PNG) to this folder, which is made or empty
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Blocks of independent draws: bits a sample fall to KL as blocks grow, and the price is exponential
#[derive(Debug, clap::Args)]
struct ToyArgs {
    /// What is sent: B(p), C(p, p, ...), or N(mean, sd) over 256 bins of equal mass of p
    #[arg(long, default_value = "B(0.5)")]
    q: Family,
    /// What both sides know
    #[arg(long, default_value = "B(0.2)")]
    p: Family,
    /// Draws in a block
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,10,100,1000,10000",
        value_name = "N,N,.."
    )]
    n: Vec<usize>,
    /// Standard deviations of log2(q/p) a draw, over sqrt(n), that the bound on q/p allows over KL
    #[arg(long, default_value_t = 2.0, value_name = "X")]
    margin: f64,
    /// Run the protocol where a message takes about 2^BITS candidates at most
    #[arg(long, default_value_t = 16, value_name = "BITS", value_parser = clap::value_parser!(u32).range(0..=40))]
    budget: u32,
    /// Messages of each protocol, fewer where candidates are many
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    messages: u32,
    /// Seed of the shared randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write plots (SVG and PNG) to this folder, which is made or empty
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Send y = (x + noise) mod n, x uniform, by every code, beside the mutual and the functional information
#[derive(Debug, clap::Args)]
struct ChannelArgs {
    /// The noise, B(p) or C(p, p, ...): n probabilities, at most 1,024
    #[arg(
        long,
        default_value = "C(0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"
    )]
    noise: Family,
    /// Candidates of a message, at most about 2^BITS
    #[arg(long, default_value_t = 16, value_name = "BITS", value_parser = clap::value_parser!(u32).range(0..=40))]
    budget: u32,
    /// Messages of each code, fewer where candidates are many
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    messages: u32,
    /// Seed of the shared randomness
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Estimators of KL(q, p) from samples of q: bias and standard deviation over the truth
#[derive(Debug, clap::Args)]
struct KlArgs {
    /// What samples are drawn from: B(p), C(p, p, ...) or N(mean, sd)
    #[arg(long, default_value = "N(0, 1)")]
    q: Family,
    /// What it is compared with; several are compared one after another
    #[arg(long, num_args = 1.., default_values = ["N(0.1, 1)", "N(1, 1)"])]
    p: Vec<Family>,
    /// Samples
    #[arg(long, default_value_t = 10_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000_000))]
    samples: u32,
    /// Seed of the samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

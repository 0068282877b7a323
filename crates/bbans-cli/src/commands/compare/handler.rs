//! The work of `bbans compare`.

use anyhow::Result;

use super::{Args, What, channel, kl, model, toy};

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Model(args) => model::run(args),
        What::Toy(args) => toy::run(args),
        What::Channel(args) => channel::run(args),
        What::Kl(args) => kl::run(args),
    }
}

//! The work of `bbans cat`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Args;
use crate::commands::decompress::handler::part;
use crate::support::files::{self, Protected};
use crate::support::models::Models;

pub(crate) fn run(args: &Args) -> Result<()> {
    if files::is_dash(&args.input) {
        bail!(
            "to read here and there in a file is more than standard input lets one do; name the file"
        );
    }
    let protected = Protected::inputs(
        [&args.input]
            .into_iter()
            .chain(&args.model.clone().map(PathBuf::from)),
    );
    let mut models = Models::new(args.model.as_deref());
    let restored = part(
        &args.input,
        &mut models,
        false,
        &protected,
        Path::new("-"),
        |header| {
            let index = match args.datum.parse::<u64>() {
                Ok(index) => index,
                Err(_) => bbans::index_of_name(header, &args.datum)?,
            };
            Ok(index..index.saturating_add(1))
        },
    );
    restored.with_context(|| args.input.display().to_string())
}

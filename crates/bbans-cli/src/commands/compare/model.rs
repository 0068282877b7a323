//! `bbans compare model`.

use anyhow::Result;

use super::ModelArgs;

pub(super) fn run(_args: &ModelArgs) -> Result<()> {
    Ok(())
}

//! The members of a file, one after another.

use std::io::Read;

use anyhow::{Context, Result, bail};
use bbans::container::Header;

use super::rows::is_png_folder;

/// Does `work` for each member of `file`, which reads what follows the header. Gives their number.
///
/// # Errors
/// If the file is empty, a set of PNG files shares it with another member, or `work` fails.
pub(crate) fn each<R: Read>(
    file: &mut R,
    mut work: impl FnMut(Header, &mut R) -> Result<()>,
) -> Result<usize> {
    let mut next = Header::read(file)?;
    if next.is_none() {
        bail!("the file is empty; expected one that `bbans compress` wrote");
    }
    let (mut members, mut folders) = (0, 0);
    while let Some(header) = next {
        members += 1;
        folders += usize::from(is_png_folder(&header.source));
        if folders > 0 && members > 1 {
            bail!("several files in one, of which one is a set of PNG files; expected it alone");
        }
        work(header, file)?;
        next = Header::read(file).context("after the end of a complete file")?;
    }
    Ok(members)
}

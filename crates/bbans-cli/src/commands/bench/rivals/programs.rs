//! Rivals that are programs, where they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::layout::pack;
use super::{Image, Kind, Laid, Piece, Rival, image, is_major_stream};
use crate::support::files::Scratch;

/// The path of a program, if it is installed.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// What to install, unless all of `programs` are there.
pub(super) fn missing(programs: &[&str], install: &'static str) -> Option<&'static str> {
    programs
        .iter()
        .any(|program| find(program).is_none())
        .then_some(install)
}

/// Runs a program in a folder; what it says goes nowhere.
pub(super) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(find(program).context("not installed")?)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    bail!("{program} ended with {}: {last}", output.status);
}

/// JBIG1, by jbigkit.
pub(super) struct Jbig;

impl Rival for Jbig {
    fn name(&self) -> &'static str {
        "JBIG1"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        matches!(laid.kind, Kind::Image(image) if image.depth == 1)
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["pbmtojbg", "jbgtopbm"], "apt install jbigkit-bin")
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let Image { width, height, .. } = image(piece)?;
        let folder = Scratch::new()?;
        let mut pbm = format!("P4\n{width} {height}\n").into_bytes();
        pbm.extend(pack(piece.bytes, width as usize));
        fs::write(folder.path().join("i.pbm"), pbm)?;
        // One layer, in one stripe.
        run(
            folder.path(),
            "pbmtojbg",
            &["-q", "-s", &height.to_string(), "i.pbm", "o.jbg"],
        )?;
        Ok(fs::read(folder.path().join("o.jbg"))?)
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        let width = image(piece)?.width;
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.jbg"), file)?;
        run(folder.path(), "jbgtopbm", &["i.jbg", "o.pbm"])?;
        let pbm = fs::read(folder.path().join("o.pbm"))?;
        let packed = pack(piece.bytes, width as usize);
        // Rows are compared packed, as the file has them.
        match pbm.strip_suffix(packed.as_slice()) {
            Some(header) if header.starts_with(b"P4") => Ok(piece.bytes.to_vec()),
            _ => bail!("what it decodes are not the data"),
        }
    }
}

/// zpaq.
pub(super) struct Zpaq;

impl Rival for Zpaq {
    fn name(&self) -> &'static str {
        "zpaq -m5"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        is_major_stream(laid)
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["zpaq"], "apt install zpaq")
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("data"), piece.bytes)?;
        let arguments = ["add", "o.zpaq", "data", "-m5", "-t1"];
        run(folder.path(), "zpaq", &arguments)?;
        Ok(fs::read(folder.path().join("o.zpaq"))?)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.zpaq"), file)?;
        run(folder.path(), "zpaq", &["extract", "i.zpaq", "-t1"])?;
        Ok(fs::read(folder.path().join("data"))?)
    }
}

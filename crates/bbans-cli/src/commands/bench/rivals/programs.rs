//! Rivals that are programs, where they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use png::Filter;

use super::layout::pack;
use super::{Kind, Laid, Rival, as_depth, is_stream, png as png_files};
use crate::support::files::Scratch;

/// The path of a program, if it is installed.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// What to install, unless all of `programs` are there.
fn missing(programs: &[&str], install: &'static str) -> Option<&'static str> {
    programs
        .iter()
        .any(|program| find(program).is_none())
        .then_some(install)
}

/// Runs a program in a folder; what it says goes nowhere.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
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

/// JPEG XL, by libjxl.
pub(super) struct JpegXl;

impl Rival for JpegXl {
    fn name(&self) -> &'static str {
        "JPEG XL -e 9"
    }

    fn takes(&self, laid: &Laid) -> bool {
        // A tall image is one column of its groups of pixels: slow, and never the best.
        match laid.kind {
            Kind::Image { width, height, .. } => height <= 64 * width,
            Kind::Stream => false,
        }
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["cjxl", "djxl"], "apt install libjxl-tools")
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(
            folder.path().join("i.png"),
            png_files::write(laid, Filter::Adaptive)?,
        )?;
        let arguments = ["i.png", "o.jxl", "-d", "0", "-e", "9", "--num_threads=0"];
        run(folder.path(), "cjxl", &arguments)?;
        Ok(fs::read(folder.path().join("o.jxl"))?)
    }

    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.jxl"), file)?;
        run(folder.path(), "djxl", &["i.jxl", "o.png"])?;
        let pixels = png_files::read(&fs::read(folder.path().join("o.png"))?)?;
        Ok(as_depth(pixels, laid))
    }
}

/// JBIG1, by jbigkit.
pub(super) struct Jbig;

impl Rival for Jbig {
    fn name(&self) -> &'static str {
        "JBIG1"
    }

    fn takes(&self, laid: &Laid) -> bool {
        matches!(laid.kind, Kind::Image { depth: 1, .. })
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["pbmtojbg", "jbgtopbm"], "apt install jbigkit-bin")
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        let Kind::Image { width, height, .. } = laid.kind else {
            bail!("not an image");
        };
        let folder = Scratch::new()?;
        let mut pbm = format!("P4\n{width} {height}\n").into_bytes();
        pbm.extend(pack(&laid.bytes, width as usize));
        fs::write(folder.path().join("i.pbm"), pbm)?;
        // One layer, in one stripe.
        run(
            folder.path(),
            "pbmtojbg",
            &["-q", "-s", &height.to_string(), "i.pbm", "o.jbg"],
        )?;
        Ok(fs::read(folder.path().join("o.jbg"))?)
    }

    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>> {
        let Kind::Image { width, .. } = laid.kind else {
            bail!("not an image");
        };
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.jbg"), file)?;
        run(folder.path(), "jbgtopbm", &["i.jbg", "o.pbm"])?;
        let pbm = fs::read(folder.path().join("o.pbm"))?;
        let packed = pack(&laid.bytes, width as usize);
        // Rows are compared packed, as the file has them.
        match pbm.strip_suffix(packed.as_slice()) {
            Some(header) if header.starts_with(b"P4") => Ok(laid.bytes.clone()),
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

    fn takes(&self, laid: &Laid) -> bool {
        is_stream(laid)
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["zpaq"], "apt install zpaq")
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("data"), &laid.bytes)?;
        let arguments = ["add", "o.zpaq", "data", "-m5", "-t1"];
        run(folder.path(), "zpaq", &arguments)?;
        Ok(fs::read(folder.path().join("o.zpaq"))?)
    }

    fn decode(&self, file: &[u8], _: &Laid) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.zpaq"), file)?;
        run(folder.path(), "zpaq", &["extract", "i.zpaq", "-t1"])?;
        Ok(fs::read(folder.path().join("data"))?)
    }
}

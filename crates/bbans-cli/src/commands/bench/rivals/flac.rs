//! FLAC, for data that are signals.

use std::fs;

use anyhow::{Result, bail};

use super::programs::{missing, run};
use super::{Kind, Laid, Piece, Rival};
use crate::support::files::Scratch;

pub(super) struct Flac;

const SETTINGS: [&str; 2] = ["--best", "-8 -e -p"];

impl Rival for Flac {
    fn name(&self) -> &'static str {
        "FLAC"
    }

    fn settings(&self) -> &'static [&'static str] {
        &SETTINGS
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        matches!(laid.kind, Kind::Signal { .. })
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["flac"], "apt install flac")
    }

    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>> {
        let Kind::Signal { channels, bits } = piece.kind else {
            bail!("not a signal");
        };
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.raw"), piece.bytes)?;
        let (channels, bits) = (format!("--channels={channels}"), format!("--bps={bits}"));
        let raw = ["--force-raw-format", "--endian=little", "--sign=signed"];
        // Nothing but the signal, which has no rate.
        let lean = ["--no-padding", "--no-seektable", "--sample-rate=44100"];
        let form = [channels.as_str(), &bits, "--lax", "--silent"];
        let files = ["-o", "o.flac", "i.raw"];
        let setting = SETTINGS[setting].split(' ');
        let arguments = setting.chain(raw).chain(lean).chain(form).chain(files);
        run(folder.path(), "flac", &arguments.collect::<Vec<_>>())?;
        Ok(fs::read(folder.path().join("o.flac"))?)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.flac"), file)?;
        let raw = ["--force-raw-format", "--endian=little", "--sign=signed"];
        let files = ["--silent", "-d", "-o", "o.raw", "i.flac"];
        let arguments: Vec<_> = raw.into_iter().chain(files).collect();
        run(folder.path(), "flac", &arguments)?;
        Ok(fs::read(folder.path().join("o.raw"))?)
    }
}

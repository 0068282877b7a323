//! Bins of the latents: chosen by data, and what is said of those that do not fit.

use std::path::Path;

use anyhow::{Context, Result};
use bbans::nn::description::{BinKind, Latent};
use bbans::nn::{ModelFile, Vae};
use bbans::{Fitted, VaeModel};
use ndarray::ArrayView2;

use super::files::{self, RawSpec};
use super::rows::DataSet;
use super::terminal::note;

/// Data that bins are chosen by, at most.
pub(crate) const FIT_DATA: usize = 500;
/// Data that bins are judged by, at most.
const JUDGED: usize = 64;
/// Bins that cost more than this part of the bound are warned of.
const WARN_COST: f64 = 0.002;
/// Likewise of means beyond the outermost bins.
const WARN_OUTSIDE: f64 = 0.001;

/// The model with bins for the data at `path`.
///
/// # Errors
/// If the data cannot be read, or are not the model's.
pub(crate) fn fit(file: &ModelFile, path: &Path) -> Result<Fitted> {
    let fit = || {
        let model = VaeModel::new(Vae::new(file)?)?;
        let (mut reader, _) = files::open_data(path, None)?;
        bbans::bind(&model, &mut reader)?;
        let mut data = DataSet::read(reader)?.spread(FIT_DATA);
        bbans::symbols(&model, &mut data.symbols)?;
        let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
        Ok(bbans::fit_bins(file, view)?)
    };
    let fitted: Result<Fitted> = fit();
    fitted.with_context(|| path.display().to_string())
}

/// What was chosen, in a line.
pub(crate) fn told(before: &Latent, fitted: &Fitted) -> String {
    let Fitted {
        file,
        before: spread,
        cost_before,
        cost,
    } = fitted;
    let after = &file.description.latent;
    let (was, is) = (kind(before), kind(after));
    if after == before {
        return format!("bins: {was} cost {}; kept", over(*cost));
    }
    format!(
        "bins: {is} cost {}; {was} would cost {}, with {:.2}% of the posterior means beyond the outermost",
        over(*cost),
        over(*cost_before),
        100.0 * spread.outside
    )
}

fn kind(latent: &Latent) -> String {
    let kind = match latent.bins {
        BinKind::EqualMass => "of equal mass",
        BinKind::Masses => "of equal width",
    };
    format!("2^{} {kind}", latent.bin_precision)
}

/// A cost, as a part of the bound, in words.
fn over(part: f64) -> String {
    match part.abs() {
        // Of a bound near 0 a part says nothing.
        10.0.. => "a few bits, of a bound near 0".to_owned(),
        _ => format!("{:+.2}% over the bound", 100.0 * part),
    }
}

/// Warns if the bins of a model do not fit the posteriors of symbols, `[count, dims]`.
pub(crate) fn warn(model: &VaeModel, data: ArrayView2<'_, u16>) {
    let some = data.slice_axis(
        ndarray::Axis(0),
        ndarray::Slice::from(..data.nrows().min(JUDGED)),
    );
    // What is wrong with the model or the data is told by those who need them. The cost takes longer than the spread.
    let Ok(spread) = bbans::spread(model, some) else {
        return;
    };
    if spread.outside > WARN_OUTSIDE
        && let Ok(cost) = bbans::bins_cost(model, some)
        && cost > WARN_COST
    {
        note!(
            "warning: {:.1}% of the posterior means lie beyond the outermost bin: {}; `bbans import MODEL \
             --data DATA -o NEW` chooses bins that fit",
            100.0 * spread.outside,
            over(cost)
        );
    }
}

/// The same for the first data of a file, which is opened for that; not of a pipe.
pub(crate) fn warn_of_file(model: &VaeModel, path: &Path, raw: Option<&RawSpec>) {
    if !files::can_be_read_again(path) {
        return;
    }
    let first = files::open_data(path, raw)
        .ok()
        .and_then(|(mut reader, _)| {
            bbans::bind(model, &mut reader).ok()?;
            reader.read(JUDGED).ok()
        });
    if let Some(mut rows) = first
        && bbans::symbols(model, &mut rows.symbols).is_ok()
        && let Ok(data) = ArrayView2::from_shape(
            (rows.count, rows.symbols.len() / rows.count.max(1)),
            &rows.symbols,
        )
    {
        warn(model, data);
    }
}

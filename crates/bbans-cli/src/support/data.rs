//! Where data sets lie: the data folder, and the demonstration data that are built in.

use std::env;
use std::path::PathBuf;

/// Environment variable that names the data folder.
pub(crate) const FOLDER_VARIABLE: &str = "BBANS_DATA";

/// About 1,000 images drawn from the model mnist-binary-small. They are samples of a model and no
/// handwriting: the program carries nobody else's data.
pub(crate) const DEMO: &[u8] = include_bytes!("../../demo/samples.idx.bbans");

/// The model that the demonstration data are drawn from and compressed with.
pub(crate) const DEMO_MODEL: &str = "mnist-binary-small";

/// The static binarization of the MNIST test set, in the data folder.
pub(crate) const BINARIZED_TEST: &str = "binarized_mnist_test.amat";

/// The data folder: `$BBANS_DATA`, else `bbans` in the XDG data folder.
pub(crate) fn folder() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set(FOLDER_VARIABLE)
        .or_else(|| set("XDG_DATA_HOME").map(|p| p.join("bbans")))
        .or_else(|| set("HOME").map(|p| p.join(".local/share/bbans")))
        .or_else(|| set("LOCALAPPDATA").map(|p| p.join("bbans")))
}

/// The real test set, where it was downloaded: plain or gzipped, or in a folder of its own.
pub(crate) fn real_test_set() -> Option<PathBuf> {
    let folder = folder()?;
    let places = ["", "binarized_mnist"].into_iter().flat_map(|sub| {
        ["", ".gz"].map(|suffix| folder.join(sub).join(format!("{BINARIZED_TEST}{suffix}")))
    });
    places.into_iter().find(|path| path.is_file())
}

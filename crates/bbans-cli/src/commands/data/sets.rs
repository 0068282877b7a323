//! Published data sets: where they are, and what they must contain.

/// A file of a data set.
pub(super) struct Published {
    /// Its name in the data folder.
    pub(super) name: &'static str,
    /// Addresses before the name, the first one preferred.
    pub(super) bases: &'static [&'static str],
    /// SHA-256 of the contents, without a gzip around them.
    pub(super) sha256: &'static str,
}

const MNIST: &[&str] = &[
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
];

const BINARIZED: &[&str] = &[
    "https://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist",
    "https://web.archive.org/web/2020id_/http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist",
];

/// MNIST (LeCun et al. 1998) and its static binarization (Larochelle & Murray 2011).
pub(super) const MNIST_FILES: &[Published] = &[
    Published {
        name: "train-images-idx3-ubyte.gz",
        bases: MNIST,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Published {
        name: "t10k-images-idx3-ubyte.gz",
        bases: MNIST,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Published {
        name: "binarized_mnist_train.amat",
        bases: BINARIZED,
        sha256: "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    },
    Published {
        name: "binarized_mnist_valid.amat",
        bases: BINARIZED,
        sha256: "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    },
    Published {
        name: "binarized_mnist_test.amat",
        bases: BINARIZED,
        sha256: "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    },
];

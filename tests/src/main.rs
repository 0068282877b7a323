//! The program `bbans`, built where the end-to-end tests find it.

fn main() -> std::process::ExitCode {
    bbans_cli::main()
}

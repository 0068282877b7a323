//! The program `bbans`.

fn main() -> std::process::ExitCode {
    bbans_cli::main()
}

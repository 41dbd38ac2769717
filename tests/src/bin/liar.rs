//! A daemon that says what it was told to say: it listens at a Unix socket and answers every request with the
//! text of a file. It runs as another user, so it is a process of its own. Used by `tests/root_ask.rs`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, answer] = arguments.as_slice() else {
        eprintln!("usage: liar SOCKET FILE");
        std::process::exit(2);
    };
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666))?;
    println!("listening");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut request = String::new();
        // A look whether somebody listens says nothing.
        if BufReader::new(stream.try_clone()?).read_line(&mut request)? > 0 {
            let _ = stream.write_all(format!("{}\n", std::fs::read_to_string(answer)?.trim()).as_bytes());
            let _ = stream.read(&mut [0]);
        }
    }
    Ok(())
}

//! The second socket, for callers of other users: it takes `ask` and `notify` and nothing else.
//!
//! Who may connect is decided by the system: the socket is 0660 and belongs to the group that
//! `serve --ask-group` names. A user's connections are bounded, so that one user cannot keep the others out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pairpin_core::host::Host;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::asks;
use super::protocol::{AdminError, CallerRequest, Lines, REQUEST};
use super::server::{PAUSE, REQUEST_TIME, finish};
use crate::platform::{Caller, ShortPath, effective_uid, group_id};

/// The socket's name.
pub const NAME: &str = "ask.sock";
/// Connections at once, in all.
const CLIENTS: usize = 48;
/// Connections at once, of one user: its asks and a few more.
const CLIENTS_PER_USER: usize = 6;

/// The directory that is the daemon's where nothing else is said. Only root makes directories beside it.
const DIRECTORY: &str = "/run/pairpin";

/// Where the socket is unless `--ask-socket` says otherwise: where other users reach it, and nobody else can take
/// its place while the daemon is down.
///
/// # Errors
/// There is no such directory for this user; the text says how to make one.
pub fn default_path() -> Result<PathBuf, String> {
    let of_service = std::env::var_os("RUNTIME_DIRECTORY");
    let owner = fs::symlink_metadata(DIRECTORY).ok().filter(fs::Metadata::is_dir).map(|found| found.uid());
    default_at(of_service.as_deref(), effective_uid(), owner)
}

/// `owner` is the owner of [`DIRECTORY`], where there is one.
fn default_at(of_service: Option<&std::ffi::OsStr>, uid: u32, owner: Option<u32>) -> Result<PathBuf, String> {
    // The service manager may have made several: they are one line then.
    let first = of_service.and_then(|given| given.to_str()?.split(':').next().map(PathBuf::from));
    if let Some(directory) = first.filter(|directory| directory.is_absolute()) {
        return Ok(directory.join(NAME));
    }
    // Not below /tmp: whoever comes first takes a name there, and would answer in this daemon's stead.
    if uid == 0 || owner == Some(uid) {
        return Ok(Path::new(DIRECTORY).join(NAME));
    }
    Err(format!(
        "the second socket needs a directory where nobody else can take its place, and {DIRECTORY} is not this user's: \
         make it as root with `install -d -o USER -m 0755 {DIRECTORY}` (at each start of the system: RuntimeDirectory=pairpin \
         in the service's unit), or name another with --ask-socket"
    ))
}

/// The daemon's end. Dropping it removes the socket file.
#[derive(Debug)]
pub struct AskListener {
    listener: UnixListener,
    file: PathBuf,
}

impl AskListener {
    /// Opens the socket for a group.
    ///
    /// # Errors
    /// There is no such group, the directory is not ours, something else has the name; the text says what to do.
    pub fn bind(file: &Path, group: &str) -> io::Result<Self> {
        let refused = |text: String| io::Error::other(text);
        let gid = group_id(group).ok_or_else(|| refused(format!("there is no group {group:?}, make it first")))?;
        let (Some(directory), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
            return Err(refused(format!("{} is no path of a socket", file.display())));
        };
        own_directory(directory, gid)?;
        let short = ShortPath::of(directory, name)?;
        match fs::symlink_metadata(short.path()) {
            Ok(found) if found.file_type().is_socket() => {
                // Another daemon's, unless nobody listens: that is what a crash leaves.
                if std::os::unix::net::UnixStream::connect(short.path()).is_ok() {
                    return Err(refused(format!(
                        "another daemon listens at {}, name another --ask-socket",
                        file.display()
                    )));
                }
                fs::remove_file(short.path())?;
            }
            Ok(_) => return Err(refused(format!("{} is not a socket, move it away", file.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(short.path())?;
        // Until both are done only this user may connect, unless the umask lets others: they may ask, too early.
        fs::set_permissions(short.path(), fs::Permissions::from_mode(0o600))?;
        give_to(short.path(), gid, group)?;
        fs::set_permissions(short.path(), fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener, file: file.to_owned() })
    }
}

impl Drop for AskListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn give_to(path: &Path, gid: u32, group: &str) -> io::Result<()> {
    chown(path, None, Some(gid)).map_err(|error| {
        let text = format!("{} cannot be given to the group {group} ({error}), join that group first", path.display());
        io::Error::new(error.kind(), text)
    })
}

/// Makes the socket's directory for the group, or checks the one that is there: who may write in it could put
/// a socket of its own in place of ours.
fn own_directory(directory: &Path, gid: u32) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        Ok(found) => {
            let (mode, owner) = (found.mode(), found.uid());
            let writable = mode & 0o022 != 0 && mode & 0o1000 == 0;
            if found.is_dir() && (owner == effective_uid() || owner == 0) && !writable {
                return Ok(());
            }
            let text = format!(
                "{} is not a directory that only this user and root write in, name another place with --ask-socket",
                directory.display()
            );
            Err(io::Error::other(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().mode(0o700).create(directory)?;
            give_to(directory, gid, &gid.to_string())?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o750))
        }
        Err(error) => Err(error),
    }
}

/// How many connections each user has.
type Users = Arc<Mutex<HashMap<u32, usize>>>;

/// A user's place, given back when dropped.
struct Place(Users, u32);

impl Place {
    fn take(users: &Users, uid: u32) -> Option<Self> {
        let mut counts = users.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid).or_default();
        if *count >= CLIENTS_PER_USER {
            return None;
        }
        *count += 1;
        Some(Self(Arc::clone(users), uid))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Serves callers until dropped.
pub async fn run(listener: AskListener, host: Host) {
    let (users, mut clients) = (Users::default(), JoinSet::new());
    loop {
        tokio::select! {
            accepted = listener.listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < CLIENTS => {
                    let Ok(caller) = Caller::of(&stream) else { continue };
                    match Place::take(&users, caller.uid()) {
                        Some(place) => drop(clients.spawn(client(stream, caller, place, host.clone()))),
                        None => tracing::warn!(uid = caller.uid(), "too many callers of one user, one was turned away"),
                    }
                }
                Ok(_) => tracing::warn!("too many callers at once, one was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the socket for asks");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn client(stream: UnixStream, caller: Caller, _place: Place, host: Host) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = Lines::new(BufReader::new(reader), REQUEST);
    let reply = match tokio::time::timeout(REQUEST_TIME, reader.next::<CallerRequest>()).await {
        Ok(Ok(Some(CallerRequest::Ask(request)))) => asks::ask(&host, &caller, request, &mut reader, &mut writer).await,
        Ok(Ok(Some(CallerRequest::Notify { text }))) => asks::notify(&host, &caller, &text),
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(_)) => Err(AdminError::failed(
            "this socket takes ask and notify only, everything else is for the daemon's own user",
        )),
    };
    finish(&mut writer, reply).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_the_groups_in_a_directory_that_is_not_everybodys() {
        let dir = tempfile::tempdir().unwrap();
        let (file, gid) = (dir.path().join("made").join(NAME), rustix::process::getegid().as_raw());
        let listener = AskListener::bind(&file, &gid.to_string()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o660, 0o750));
        assert_eq!(fs::metadata(&file).unwrap().gid(), gid);
        let taken = AskListener::bind(&file, &gid.to_string()).unwrap_err();
        assert!(taken.to_string().contains("another daemon"), "{taken}");
        drop(listener);
        assert!(!file.exists());
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
        let open = AskListener::bind(&file, &gid.to_string()).unwrap_err();
        assert!(open.to_string().contains("--ask-socket"), "{open}");
        assert!(AskListener::bind(&file, "no such group").unwrap_err().to_string().contains("no group"));
    }

    #[test]
    fn by_default_the_socket_is_where_nobody_else_can_take_its_place() {
        let at = |service: Option<&str>, uid, owner| default_at(service.map(std::ffi::OsStr::new), uid, owner);
        let run = Ok(PathBuf::from("/run/pairpin/ask.sock"));
        assert_eq!(at(None, 0, None), run);
        assert_eq!(at(None, 990, Some(990)), run);
        assert_eq!(at(Some("/run/box:/run/other"), 990, None), Ok("/run/box/ask.sock".into()));
        for (service, owner) in [(None, None), (None, Some(0)), (None, Some(1000)), (Some("relative"), None)] {
            let refused = at(service, 990, owner).unwrap_err();
            assert!(refused.contains("RuntimeDirectory=pairpin") && refused.contains("--ask-socket"), "{refused}");
        }
    }

    #[test]
    fn a_user_has_so_many_places_and_gets_them_back() {
        let users = Users::default();
        let mut places: Vec<_> = (0..CLIENTS_PER_USER).map(|_| Place::take(&users, 7).unwrap()).collect();
        assert!(Place::take(&users, 7).is_none() && Place::take(&users, 8).is_some());
        places.pop();
        assert!(Place::take(&users, 7).is_some());
        drop(places);
        assert!(users.lock().unwrap().is_empty());
    }
}

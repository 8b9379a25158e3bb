//! Which user PostgreSQL runs as, and what that user must be able to reach.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, geteuid};

use super::error::EmbeddedError;

/// The user of PostgreSQL's processes and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    /// The user that we run as, who is not root.
    Ourselves,
    /// Another one, because we are root and PostgreSQL refuses to run as root.
    Other { name: String, uid: u32, gid: u32 },
}

impl RunAs {
    /// Chooses the user. Root runs PostgreSQL as the owner of existing data, else as `postgres`, else as `nobody`.
    pub(super) fn choose(cluster_dir: &Path) -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        // Data that a copy by root left to root changes hands later.
        if let Some(data) = fs::metadata(cluster_dir.join("PG_VERSION")).ok().filter(|data| data.uid() != 0) {
            return Ok(Self::Other { name: user_name(data.uid()), uid: data.uid(), gid: data.gid() });
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .filter(|user| !user.uid.is_root())
            .map(|user| Self::Other { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() })
            .ok_or(EmbeddedError::NoUser)
    }

    /// A command that runs as this user, with an environment of ours alone, away from the terminal and its Ctrl-C.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Nothing of the caller's environment may reach PostgreSQL: PGDATA, LD_PRELOAD or a locale that is not there.
        // English messages are read again by us; on macOS PostgreSQL ends without a locale.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        // A working directory that every user can enter.
        command.current_dir("/").stdin(Stdio::null()).process_group(0);
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Whether `uid` may own what only we and PostgreSQL share.
    pub(super) fn trusts_owner(&self, uid: u32) -> bool {
        match self {
            Self::Ourselves => uid == geteuid().as_raw(),
            Self::Other { uid: own, .. } => uid == 0 || uid == *own,
        }
    }

    /// Gives one file or folder to the user.
    pub(super) fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Self::Other { uid, gid, .. } = self else { return Ok(()) };
        chown(path, Some(*uid), Some(*gid)).map_err(EmbeddedError::io("change the owner of", path))
    }

    /// Gives a folder and all that is in it to the user, if the folder is not the user's already.
    pub(super) fn give_all(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Self::Other { uid, gid, .. } = self else { return Ok(()) };
        let given = fs::metadata(path)
            .and_then(|folder| if folder.uid() == *uid { Ok(()) } else { chown_tree(path, *uid, *gid) });
        given.map_err(EmbeddedError::io("change the owner of", path))
    }

    /// Checks that the user can enter `dir`, and names the first folder on the way that is closed.
    pub(super) fn can_enter(&self, dir: &Path) -> Result<(), EmbeddedError> {
        let Self::Other { name, uid, gid } = self else { return Ok(()) };
        let mut way: Vec<&Path> = dir.ancestors().collect();
        way.reverse();
        match way.into_iter().find(|folder| !open_by_mode(folder, *uid, *gid)) {
            Some(blocker) if !self.enters(dir) => Err(EmbeddedError::NotTraversable {
                dir: dir.to_owned(),
                blocker: blocker.to_owned(),
                user: name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Tries it: access control lists and group memberships allow more than the mode shows.
    fn enters(&self, dir: &Path) -> bool {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Whether a folder's mode lets a user pass. What cannot be read is no obstacle here: the error comes with its use.
fn open_by_mode(folder: &Path, uid: u32, gid: u32) -> bool {
    fs::metadata(folder).map_or(true, |folder| {
        let bit = match () {
            () if folder.uid() == uid => 0o100,
            () if folder.gid() == gid => 0o010,
            () => 0o001,
        };
        folder.mode() & bit != 0
    })
}

fn chown_tree(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        lchown(&path, Some(uid), Some(gid))?;
        // A link's target is not ours to give away.
        if fs::symlink_metadata(&path)?.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn user_name(uid: u32) -> String {
    User::from_uid(uid.into()).ok().flatten().map_or_else(|| format!("number {uid}"), |user| user.name)
}

//! The database handle: one thread that writes, one that reads.
//!
//! Writers queue up; the writer thread takes what waits, runs it in one `BEGIN IMMEDIATE` transaction,
//! each closure in a savepoint of its own, and answers only after COMMIT returned: with
//! `synchronous=FULL` an answer is durable (group commit: many writes share one fsync). Reads see
//! everything that has been answered, in one snapshot, and never wait for a disk. Used by both engines;
//! opening is in `open`.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::StoreError;
use super::migrations::Kind;
use super::open;

/// Closures of async callers that may wait in a queue; more callers wait outside it.
const QUEUE: usize = 1024;
/// Closures in one transaction, at most.
const BATCH: usize = 128;

/// An open database; clones share it. The last one to be dropped waits for the queue and closes the
/// file.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Worker,
    reader: Worker,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database, makes it where there is none, and brings its schema up to date. Blocks for a
    /// few milliseconds.
    ///
    /// # Errors
    /// Damaged, newer, somebody else's, open to other users, or not writable: see [`StoreError`]. A
    /// file that is refused is left untouched.
    pub fn open(path: &Path, kind: Kind) -> Result<Self, StoreError> {
        let (path, writer, reader) = open::open(path, kind)?;
        let writer = Worker::start("pairpin-store-write", writer, &path, write_loop)?;
        let reader = Worker::start("pairpin-store-read", reader, &path, read_loop)?;
        Ok(Self { inner: Arc::new(Inner { path, writer, reader }) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `work` in a transaction of its own (as far as it can tell) and returns its result once it
    /// is on the disk. If `work` fails, all that it did is rolled back, and nothing else is. Writes happen
    /// in the order in which they were asked for.
    ///
    /// Dropping the future once it was polled does not take the write back. `work` must not call the
    /// database handle: its thread would wait for itself.
    ///
    /// # Errors
    /// What `work` returned, or why nothing could be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.writer.run(work).await.map_err(|error| error.at(&self.inner.path))
    }

    /// Runs `work` on one snapshot of what is committed. It cannot write.
    ///
    /// # Errors
    /// What `work` returned, or why nothing could be read.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.reader.run(work).await.map_err(|error| error.at(&self.inner.path))
    }

    /// [`write`](Self::write) for callers without an async runtime; inside one it blocks the thread.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.writer.run_blocking(work).map_err(|error| error.at(&self.inner.path))
    }

    /// [`read`](Self::read) for callers without an async runtime; inside one it blocks the thread.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.reader.run_blocking(work).map_err(|error| error.at(&self.inner.path))
    }
}

/// A thread with a connection and a queue.
struct Worker {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    slots: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

type Loop = fn(&Connection, &mpsc::Receiver<Box<dyn Job>>);

impl Worker {
    fn start(name: &str, conn: Connection, path: &Path, work: Loop) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&conn, &jobs))
            .map_err(|error| StoreError::from_io(&error, path))?;
        Ok(Self { queue: Some(queue), slots: Arc::new(Semaphore::new(QUEUE)), thread: Some(thread) })
    }

    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(Task {
            work: Some(work),
            result: None,
            reply: move |result| drop(reply.send(result)),
            _slot: Some(slot),
        }))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    // No slot: a thread that blocks here is its own bound.
    fn run_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        self.push(Box::new(Task {
            work: Some(work),
            result: None,
            reply: move |result| drop(reply.send(result)),
            _slot: None,
        }))?;
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn push(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.queue.as_ref().and_then(|queue| queue.send(job).ok()).ok_or(StoreError::Closed)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            // A closure may have held the last handle: a thread cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// A closure on its way through a worker.
trait Job: Send {
    /// Runs it and keeps the result; says what went wrong, if something did.
    fn run(&mut self, conn: &Connection) -> Result<(), StoreError>;

    /// Tells the caller: its own result, or `failure` where that result did not reach the disk.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Task<T, F, R> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: R,
    _slot: Option<OwnedSemaphorePermit>,
}

impl<T, F, R> Job for Task<T, F, R>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    R: FnOnce(Result<T, StoreError>) + Send,
    T: Send,
{
    fn run(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Err(StoreError::Closed) };
        // A panic in one closure must not take the store from everybody else.
        let result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|_| Err(StoreError::Internal("a database step panicked".to_owned())));
        self.result.insert(result).as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let Self { result, reply, .. } = *self;
        reply(match (result, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(result), None) => result,
            (None, None) => Err(StoreError::Closed),
        });
    }
}

fn write_loop(conn: &Connection, jobs: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut waiting = VecDeque::from([first]);
        waiting.extend(jobs.try_iter().take(BATCH - 1));
        while !waiting.is_empty() {
            let mut done = Vec::with_capacity(waiting.len());
            let failure = commit_batch(conn, &mut waiting, &mut done).err();
            if failure.is_some() && !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            if done.is_empty() {
                // It could not even begin: nobody's fault in particular.
                done.extend(waiting.drain(..));
            }
            for job in done {
                job.answer(failure.clone());
            }
        }
    }
}

/// Runs what waits in one transaction. On an error nothing of `done` is stored; what still waits has
/// not run.
fn commit_batch(
    conn: &Connection,
    waiting: &mut VecDeque<Box<dyn Job>>,
    done: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    while let Some(mut job) = waiting.pop_front() {
        let opened = conn.execute_batch("SAVEPOINT step").map_err(StoreError::from);
        let outcome = opened.clone().and_then(|()| job.run(conn));
        done.push(job);
        opened?;
        // Some errors (a full disk, an I/O error) make SQLite roll the whole transaction back: then they
        // are everybody's.
        if conn.is_autocommit() {
            outcome?;
            return Err(StoreError::Internal("a database step ended the transaction".to_owned()));
        }
        conn.execute_batch(if outcome.is_ok() { "RELEASE step" } else { "ROLLBACK TO step; RELEASE step" })?;
    }
    conn.execute_batch("COMMIT")?;
    Ok(())
}

fn read_loop(conn: &Connection, jobs: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(mut job) = jobs.recv() {
        let failure = conn.execute_batch("BEGIN DEFERRED").map_err(StoreError::from).err();
        if failure.is_none() {
            // Its error, if it has one, goes to its own caller.
            let _ = job.run(conn);
        }
        if !conn.is_autocommit() {
            let _ = conn.execute_batch("ROLLBACK");
        }
        job.answer(failure);
    }
}

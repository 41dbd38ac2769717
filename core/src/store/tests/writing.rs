//! Group commit: what is answered is on the disk, and one failure is nobody else's.

use std::sync::mpsc;
use std::time::Duration;

use rusqlite::Connection;

use super::{host_database, new_device, place};
use crate::store::host::{audit, devices, meta};
use crate::store::{Database, Kind, StoreError};

const DEADLINE: Duration = Duration::from_secs(10);

fn counter_seen_by_another(path: &std::path::Path) -> u64 {
    meta::counter(&Connection::open(path).unwrap()).unwrap()
}

/// Keeps the writer busy until the sender is used or dropped, so that what comes next is one batch.
fn hold(database: &Database) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (release, held) = mpsc::channel::<()>();
    let (started, is_started) = mpsc::channel();
    let database = database.clone();
    let thread = std::thread::spawn(move || {
        let work = move |_: &Connection| {
            started.send(()).unwrap();
            let _ = held.recv_timeout(DEADLINE);
            Ok(())
        };
        database.write_blocking(work).unwrap();
    });
    is_started.recv_timeout(DEADLINE).unwrap();
    (release, thread)
}

#[test]
fn an_answer_comes_after_commit() {
    let (_dir, database) = host_database();
    let path = database.path().to_path_buf();
    let before_commit = database
        .write_blocking(move |conn| {
            meta::bump_counter(conn)?;
            // The control: from here an answer would be too early, and another connection shows it.
            Ok(counter_seen_by_another(&path))
        })
        .unwrap();
    assert_eq!(before_commit, 0);
    assert_eq!(counter_seen_by_another(database.path()), 1);
}

#[tokio::test]
async fn a_read_sees_every_write_that_was_answered() {
    let (_dir, database) = host_database();
    for number in 1..=50 {
        assert_eq!(database.write(meta::bump_counter).await.unwrap(), number);
        assert_eq!(database.read(meta::counter).await.unwrap(), number);
    }
}

#[tokio::test]
async fn a_failing_closure_takes_back_its_own_steps_and_no_others() {
    let (_dir, database) = host_database();
    let (release, holder) = hold(&database);
    let step = |at: i64, fails: bool| {
        database.write(move |conn| {
            audit::append(conn, at, "first half", None, "")?;
            if fails {
                return Err(StoreError::NotFound("device"));
            }
            audit::append(conn, at, "second half", None, "")
        })
    };
    let (all, ()) = tokio::join!(async { tokio::join!(step(1, false), step(2, true), step(3, false)) }, async {
        release.send(()).unwrap()
    });
    holder.join().unwrap();
    assert!(all.0.is_ok() && all.2.is_ok());
    assert_eq!(all.1.unwrap_err(), StoreError::NotFound("device"));
    let lines = database.read(|conn| audit::last(conn, 10)).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [1, 1, 3, 3]);
}

#[tokio::test]
async fn a_panic_in_a_closure_leaves_the_store_running() {
    let (_dir, database) = host_database();
    let panicked = database
        .write(|conn| {
            meta::bump_counter(conn)?;
            if meta::counter(conn)? > 0 {
                panic!("a mistake");
            }
            Ok(())
        })
        .await;
    assert!(matches!(panicked, Err(StoreError::Internal(_))));
    assert_eq!(database.write(meta::bump_counter).await.unwrap(), 1);
}

#[tokio::test]
async fn when_the_transaction_is_lost_nobody_in_it_is_told_success() {
    let (_dir, database) = host_database();
    let (release, holder) = hold(&database);
    let before = database.write(meta::bump_counter);
    // What SQLite does by itself after an I/O error.
    let breaker = database.write(|conn| -> Result<(), StoreError> {
        conn.execute_batch("ROLLBACK")?;
        Err(StoreError::Full { path: "machine.db".into() })
    });
    let after = database.write(meta::bump_counter);
    let (before, breaker, after, ()) = tokio::join!(before, breaker, after, async { release.send(()).unwrap() });
    holder.join().unwrap_or(());
    assert!(matches!(before, Err(StoreError::Full { .. })), "{before:?}");
    assert!(matches!(breaker, Err(StoreError::Full { .. })));
    assert_eq!(after.unwrap(), 1, "what had not run goes into the next transaction");
    assert_eq!(counter_seen_by_another(database.path()), 1);
}

#[test]
fn a_full_disk_is_named_and_later_writes_work_again() {
    let (_dir, database) = host_database();
    let limit = |pages: i64| {
        database.write_blocking(move |conn| {
            Ok(conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))?)
        })
    };
    let fill = || {
        database.write_blocking(|conn| {
            for number in 0..100 {
                audit::append(conn, number, "line", None, &"x".repeat(1000))?;
            }
            Ok(())
        })
    };
    limit(1).unwrap();
    let error = fill().unwrap_err();
    assert_eq!(error, StoreError::Full { path: database.path().to_path_buf() });
    assert!(error.to_string().contains("free some space"));
    assert_eq!(database.read_blocking(|conn| audit::last(conn, 10)).unwrap(), []);
    limit(100_000).unwrap();
    fill().unwrap();
}

#[test]
fn another_process_that_keeps_writing_is_named_and_nothing_is_half_written() {
    let (_dir, database) = host_database();
    database.write_blocking(|conn| Ok(conn.busy_timeout(Duration::ZERO)?)).unwrap();
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = database.write_blocking(meta::bump_counter).unwrap_err();
    assert_eq!(error, StoreError::Busy { path: database.path().to_path_buf() });
    assert_eq!(database.read_blocking(meta::counter).unwrap(), 0, "reads go on");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(database.write_blocking(meta::bump_counter).unwrap(), 1);
}

#[test]
fn a_read_cannot_write() {
    let (_dir, database) = host_database();
    let error = database.read_blocking(meta::bump_counter).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn a_read_is_one_snapshot() {
    let (_dir, database) = host_database();
    let writer = database.clone();
    let (first, second) = database
        .read_blocking(move |conn| {
            let first = devices::count(conn)?;
            writer.write_blocking(|conn| devices::insert(conn, &new_device(1, "phone")))?;
            Ok((first, devices::count(conn)?))
        })
        .unwrap();
    assert_eq!((first, second), (0, 0));
    assert_eq!(database.read_blocking(devices::count).unwrap(), 1);
}

#[tokio::test]
async fn hundreds_of_tasks_share_the_writer_and_none_is_lost() {
    let (_dir, database) = host_database();
    let tasks: Vec<_> = (0..500)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.write(meta::bump_counter).await.unwrap() })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=500).collect::<Vec<_>>());
}

#[test]
fn dropping_the_last_handle_finishes_the_queue() {
    let (_dir, path) = place();
    let database = Database::open(&path, Kind::Host).unwrap();
    let (release, holder) = hold(&database);
    // Asked for, and nobody waits for the answer.
    let asked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let write = std::pin::pin!(database.write(meta::bump_counter));
                    futures_util::future::poll_immediate(write).await.is_none()
                })
            })
            .join()
            .unwrap()
    });
    assert!(asked, "the writer is held, so the answer is outstanding");
    release.send(()).unwrap();
    holder.join().unwrap();
    drop(database);
    assert_eq!(counter_seen_by_another(&path), 1);
}

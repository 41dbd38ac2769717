//! What the app shows, and who is told when that changes.

use std::sync::Arc;

use pairpin_core::client::app::AppState;

use crate::inbox::{EndedView, InboxItem};
use crate::machines::MachineView;
use crate::news::NewsView;

/// Everything that the app's first screens show, in one value.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ScreenState {
    /// The machines, in the order in which they were paired.
    pub machines: Vec<MachineView>,
    /// What waits for an answer, soonest over first.
    pub inbox: Vec<InboxItem>,
    /// How things ended that had waited, the latest last.
    pub ended: Vec<EndedView>,
    /// What machines told that waits for no answer, the newest last.
    pub news: Vec<NewsView>,
}

impl From<&AppState> for ScreenState {
    fn from(state: &AppState) -> Self {
        Self {
            machines: state.machines.iter().map(MachineView::from).collect(),
            inbox: state.waiting.iter().map(|one| InboxItem::of(one, &state.machines)).collect(),
            ended: state.ended.iter().map(EndedView::from).collect(),
            news: state.news.iter().map(|one| NewsView::of(one, &state.machines)).collect(),
        }
    }
}

/// Told of the app's state: the present one first, then each change in order; a listener that is slow is told
/// the newest next, never a queue of old ones. Called from one thread of the engine's, never twice at once.
#[uniffi::export(foreign)]
pub trait StateListener: Send + Sync {
    /// This is the state now.
    fn changed(&self, state: ScreenState);
}

/// Tells `listener` until the app is over.
pub(crate) async fn tell(mut states: tokio::sync::watch::Receiver<Arc<AppState>>, listener: Arc<dyn StateListener>) {
    loop {
        let state = ScreenState::from(states.borrow_and_update().as_ref());
        let told = Arc::clone(&listener);
        // Off the engine's threads: a listener may take its time. One that throws has had its chance, and is
        // told of the next change all the same.
        let _ = tokio::task::spawn_blocking(move || told.changed(state)).await;
        if states.changed().await.is_err() {
            return;
        }
    }
}

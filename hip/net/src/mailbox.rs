//! A queue into a thread that sleeps in `poll`: messages and an eventfd that wakes it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, mpsc},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// The sending end.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    queue: mpsc::Sender<T>,
    wake: Arc<EventFd>,
}

/// The receiving end; poll it for readability.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: mpsc::Receiver<T>,
    wake: Arc<EventFd>,
}

/// Makes a queue.
pub(crate) fn mailbox<T>() -> io::Result<(Mailbox<T>, Inbox<T>)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    let (sender, receiver) = mpsc::channel();
    Ok((
        Mailbox {
            queue: sender,
            wake: wake.clone(),
        },
        Inbox {
            queue: receiver,
            wake,
        },
    ))
}

impl<T> Mailbox<T> {
    /// Queues a message and wakes the thread. `false` when the thread has ended.
    pub(crate) fn post(&self, message: T) -> bool {
        // A full counter (EAGAIN) wakes the thread as well.
        self.queue.send(message).is_ok() && {
            let _ = self.wake.write(1);
            true
        }
    }
}

impl<T> Inbox<T> {
    /// The next message, without waiting.
    pub(crate) fn take(&self) -> Option<T> {
        self.queue.try_recv().ok()
    }

    /// Forgets wake-ups; to be called before the queue is emptied.
    pub(crate) fn acknowledge(&self) {
        let _ = self.wake.read();
    }
}

impl<T> AsFd for Inbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

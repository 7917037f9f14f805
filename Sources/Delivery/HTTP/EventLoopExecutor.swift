import NIOCore

/// Runs a task's steps on an event loop, so that one that has waited for the store goes on where its connection is, and not
/// first on another thread. For short steps only: they hold up whatever else the loop carries.
final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

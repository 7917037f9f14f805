import Admission
import Live
import ServiceLifecycle

/// Watches over tickets and sessions for as long as the origin runs.
struct AdmissionService: Service {
    let admissions: Admissions

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await admissions.run()
        }
        await admissions.writeUses()
    }
}

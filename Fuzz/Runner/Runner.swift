import FuzzTargets

// libFuzzer's driver, which the linker adds with `--sanitize fuzzer`. See Fuzz/run.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ run: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

@_silgen_name("getenv")
private func environmentVariable(_ name: UnsafePointer<CChar>) -> UnsafePointer<CChar>?

private let target: FuzzTarget = {
    let name = environmentVariable("PLAYHOUSE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        fatalError("PLAYHOUSE_FUZZ_TARGET has to be one of \(FuzzTarget.allCases.map(\.rawValue))")
    }
    return target
}()

private func run(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    do {
        try target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}

/// What libFuzzer calls; it asks for the symbol even where the driver is given a function.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(bytes, count)
}

/// The package manager links an executable's `main` under this name.
@_cdecl("fuzz_main")
public func fuzzMain(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments) { run($0, $1) }
}

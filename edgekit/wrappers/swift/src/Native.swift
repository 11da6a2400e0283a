import CEdgekit
import Foundation

/// A value behind a lock.
final class Guarded<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value
    init(_ value: Value) { self.value = value }
    func with<Made>(_ body: (inout Value) throws -> Made) rethrows -> Made { try lock.withLock { try body(&value) } }
}

/// A handle of the library's, which any thread may use.
struct Handle: @unchecked Sendable { let pointer: OpaquePointer }

/// Copies that lie where C finds them while this lives.
final class Lent {
    private var blocks: [UnsafeMutableRawPointer] = []
    deinit { blocks.forEach { $0.deallocate() } }

    static func of<Result>(_ call: (Lent) throws -> Result) rethrows -> Result {
        let lent = Lent()
        return try withExtendedLifetime(lent) { try call(lent) }
    }

    func copy<Item>(_ items: [Item]) -> UnsafeMutablePointer<Item> {
        let size = items.count * MemoryLayout<Item>.stride
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(size, 1), alignment: MemoryLayout<Item>.alignment)
        blocks.append(block)
        items.withUnsafeBytes { if let from = $0.baseAddress { block.copyMemory(from: from, byteCount: size) } }
        return block.assumingMemoryBound(to: Item.self)
    }

    func text(_ text: String?) -> edgekit_text {
        let bytes = (text ?? "").utf8.map(CChar.init(bitPattern:))
        return edgekit_text(data: copy(bytes), size: bytes.count)
    }
}

extension String {
    init(_ text: edgekit_text) {
        self.init(decoding: UnsafeRawBufferPointer(start: text.data, count: text.size), as: UTF8.self)
    }
}

/// Throw what the library says.
func check(_ error: OpaquePointer?) throws {
    guard let error else { return }
    defer { edgekit_error_free(error) }
    throw Refused(
        code: String(edgekit_error_code(error)), message: String(edgekit_error_message(error)),
        next: String(edgekit_error_next(error)), axis: String(edgekit_error_axis(error)))
}

/// Objects in JSON, in the order of their members: a schema's order is what the model reads.
enum Json {
    /// Any text can be.
    static func quoted(_ text: String) -> String { String(decoding: try! JSONEncoder().encode(text), as: UTF8.self) }

    static func list(_ items: [String]?) -> String? { items.map { "[\($0.joined(separator: ","))]" } }

    /// What is nil is left out.
    static func object(_ members: KeyValuePairs<String, String?>) -> String {
        let said = members.compactMap { name, value in value.map { "\(quoted(name)):\($0)" } }
        return "{\(said.joined(separator: ","))}"
    }

    static func read<Value: Decodable>(_ text: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(text.utf8))
    }
}

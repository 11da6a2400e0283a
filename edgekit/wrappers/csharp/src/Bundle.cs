using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Edgekit {
/// <summary>What the core refuses or cannot do. The message is the cause, Next is what to do, Axis what is lacking here
/// ("min_onnxruntime"; "abi": the core itself). Code is "bundle", "usage", "tool-missing", "quality", "closed" or
/// "internal", as edgekit.h has them. What there is none of is empty.</summary>
public sealed class EdgekitException : Exception {
    internal EdgekitException(string code, string message, string next, string axis, Exception? inner = null)
        : base(message, inner) => (Code, Next, Axis) = (code, next, axis);
    public string Code { get; }
    public string Next { get; }
    public string Axis { get; }
}

/// <summary>How a bundle is opened; 0 and null are the core's choice. Verify compares every byte with the manifest (at
/// install), Foreign runs a bundle of another platform on the CPU, Lazy loads the model when a call needs it. Slots are
/// the key-value caches that are kept (-1: none), Piece the tokens of a prompt that are read at once. The engines'
/// files are those beside edgekit's library, or those that are named.</summary>
public sealed class OpenOptions {
    public bool Verify { get; set; }
    public bool Foreign { get; set; }
    public bool Lazy { get; set; }
    public int Threads { get; set; }
    public int Slots { get; set; }
    public int Piece { get; set; }
    public string? Variant { get; set; }
    public string? OnnxRuntime { get; set; }
    public string? GenAi { get; set; }
    public string? GenAiVersion { get; set; }
}

/// <summary>The caches that no answer uses; or these and the model.</summary>
public enum Memories { Caches = 1, Weights = 2 }

/// <summary>An open bundle, for any thread. Answers are made one after another. What may wait is on the thread pool; an
/// answer's token is heeded at any time, another until the core has begun. Errors are EdgekitExceptions.</summary>
public sealed class Bundle : IAsyncDisposable {
    private readonly BundleHandle _handle;
    private Bundle(BundleHandle handle) => _handle = handle;
    /// <summary>Check a bundle's folder, choose the variant that runs here, and load it.</summary>
    public static Task<Bundle> OpenAsync(
        string folder, OpenOptions? options = null, CancellationToken token = default) => Task.Run(() => {
            BundleHandle handle = Open(folder, options ?? new OpenOptions());
            if (!token.IsCancellationRequested) return new Bundle(handle);
            handle.Dispose();
            throw new OperationCanceledException(token);
        }, token);

    public Task<Facts> FactsAsync(CancellationToken token = default) =>
        Ask(_ => new Facts(Native.Take(Native.edgekit_facts(_handle, out DocumentHandle facts), facts)), token);
    /// <summary>Whether there is memory for an answer of MaxTokens: to these Messages, which loads the model, or to a
    /// prompt of so many tokens.</summary>
    public Task<Room> PreflightAsync(Request request, long? tokens = null, CancellationToken token = default) =>
        Ask(pins => new Room(Native.Take(Native.edgekit_preflight(_handle,
            pins.Text(request.Json(tokens)), out DocumentHandle room), room)), token);
    /// <summary>Answer a whole conversation; the beginning that a slot holds is not read again.</summary>
    public Run RespondAsync(Request request, CancellationToken token = default) => new Run(this, request.Json(), token);
    /// <summary>Run a net once, on the memory of its inputs and of those outputs that have some.</summary>
    public Task<Tensor[]> InferAsync(
        IEnumerable<Tensor> inputs, IEnumerable<Tensor> outputs, CancellationToken token = default) =>
        Ask(_ => Tensor.Infer(_handle, inputs.ToArray(), outputs.ToArray()), token);
    /// <summary>What a picture shows, the best first; its pixels in equal rows, of a format as edgekit.h has it.</summary>
    public Task<Category[]> ClassifyAsync(Memory<byte> pixels, int width, int height, int top = 5,
        string pixelFormat = "rgb8", CancellationToken token = default) => Ask(pins => {
            Native.Array rows = new Tensor("picture", pixelFormat, pixels, height, width).Pinned(pins);
            string told = Native.Take(Native.edgekit_classify(_handle, ref rows, top, out DocumentHandle made), made);
            return JsonReader.Objects(told).Select(category => new Category(category)).ToArray();
        }, token);
    /// <summary>Give memory back; what is needed again is loaded by itself. The bytes that are free now.</summary>
    public Task<long> TrimAsync(Memories what, CancellationToken token = default) =>
        Ask(_ => Native.Check(Native.edgekit_trim(_handle, (int)what, out long freed), freed), token);
    /// <summary>Cancel what is being answered, wait for its end and free the model.</summary>
    public async ValueTask DisposeAsync() {
        await Task.Run(() => _handle.Dispose()).ConfigureAwait(false);
        await _handle.Closed.ConfigureAwait(false);
    }

    internal Task<RunHandle> Respond(string request, CancellationToken token) =>
        Ask(pins => Native.Check(Native.edgekit_respond(_handle, pins.Text(request), out RunHandle run), run), token);

    private Task<T> Ask<T>(Func<Pins, T> call, CancellationToken token) =>
        Task.Run(() => {
            using var pins = new Pins();
            bool held = false;
            try {
                _handle.DangerousAddRef(ref held); // outputs are read before it can be closed
                return call(pins);
            } catch (ObjectDisposedException error) when (!held) {
                throw new EdgekitException("closed", "the bundle was closed", "open it again", "", error);
            } finally { if (held) _handle.DangerousRelease(); }
        }, token);

    private static unsafe BundleHandle Open(string folder, OpenOptions asked) {
        Native.Require();
        using var pins = new Pins();
        var options = new Native.Options {
            Size = (UIntPtr)sizeof(Native.Options),
            Flags = (asked.Verify ? 1u : 0) | (asked.Foreign ? 2u : 0) | (asked.Lazy ? 4u : 0),
            Threads = asked.Threads, Slots = asked.Slots, Piece = asked.Piece,
            Variant = pins.Text(asked.Variant), GenAiVersion = pins.Text(asked.GenAiVersion),
            OnnxRuntime = pins.Text(FullPath(asked.OnnxRuntime)), // a base name may be the system's own
            GenAi = pins.Text(FullPath(asked.GenAi)),
        };
        return Native.Check(Native.edgekit_open(pins.Text(FullPath(folder)), ref options, out BundleHandle made), made);
    }

    private static string? FullPath(string? path) => string.IsNullOrEmpty(path) ? null : Path.GetFullPath(path);
}
} // namespace Edgekit

using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Tasks;
using Microsoft.Win32.SafeHandles;

// Where the system looks beside the app, never in the current folder.
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories)]

namespace Edgekit {
/// <summary>edgekit.h, function by function.</summary>
internal static unsafe class Native {
    private const int Abi = 1;
    private const string Dll = "edgekit"; // edgekit.dll, libedgekit.so, libedgekit.dylib
    private const CallingConvention C = CallingConvention.Cdecl;

    internal struct Utf8 {
        internal byte* Data;
        internal UIntPtr Size;
        public override string ToString() => Size == UIntPtr.Zero ? "" : Encoding.UTF8.GetString(Data, (int)Size);
    }

    internal struct Options {
        internal UIntPtr Size;
        internal uint Flags;
        internal int Threads, Slots, Piece;
        internal Utf8 Variant, OnnxRuntime, GenAi, GenAiVersion;
    }

    internal struct Told {
        internal UIntPtr Size;
        internal int Kind;
        internal Utf8 Text, Id, Name;
        internal long Read, Of;
    }

    internal struct Array {
        internal UIntPtr Size;
        internal Utf8 Name, Type;
        internal long* Shape; internal UIntPtr Rank; internal byte* Data; internal UIntPtr Bytes;
    }

    [DllImport(Dll, CallingConvention = C)] private static extern int edgekit_abi();
    [DllImport(Dll, CallingConvention = C)] private static extern Utf8 edgekit_error_code(ErrorHandle error);
    [DllImport(Dll, CallingConvention = C)] private static extern Utf8 edgekit_error_message(ErrorHandle error);
    [DllImport(Dll, CallingConvention = C)] private static extern Utf8 edgekit_error_next(ErrorHandle error);
    [DllImport(Dll, CallingConvention = C)] private static extern Utf8 edgekit_error_axis(ErrorHandle error);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_error_free(IntPtr error);
    [DllImport(Dll, CallingConvention = C)] private static extern Utf8 edgekit_document_text(DocumentHandle document);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_document_free(IntPtr document);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_open(Utf8 folder, ref Options options, out BundleHandle bundle);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_close(IntPtr bundle);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_facts(BundleHandle bundle, out DocumentHandle facts);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_preflight(BundleHandle bundle, Utf8 request, out DocumentHandle room);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_respond(BundleHandle bundle, Utf8 request, out RunHandle run);
    [DllImport(Dll, CallingConvention = C)] private static extern ErrorHandle edgekit_next(RunHandle run, ref Told to);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_cancel(RunHandle run);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_run_free(IntPtr run);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_trim(BundleHandle bundle, int what, out long freed);
    [DllImport(Dll, CallingConvention = C)]
    internal static extern ErrorHandle edgekit_infer(BundleHandle bundle, Array* inputs, UIntPtr inputCount,
                                                     Array* outputs, UIntPtr outputCount, out ValuesHandle owned);
    [DllImport(Dll, CallingConvention = C)] internal static extern void edgekit_values_free(IntPtr values);
    [DllImport(Dll, CallingConvention = C)] internal static extern ErrorHandle edgekit_classify(
        BundleHandle bundle, ref Array picture, int top, out DocumentHandle told);
    /// <summary>Refuse where the core is not there, not of this machine, or of another interface.</summary>
    internal static void Require() {
        try {
            int abi = edgekit_abi();
            if (abi != Abi) throw new DllNotFoundException($"its interface is {abi}, and this is written for {Abi}");
        } catch (Exception error) when (error is TypeLoadException || error is BadImageFormatException) {
            throw new EdgekitException("tool-missing", "edgekit's library cannot be loaded: " + error.Message,
                "put the one of this version, for this system and CPU, beside the app", "abi", error);
        }
    }

    internal static T Check<T>(ErrorHandle error, T made) {
        using var owned = error;
        if (error.IsInvalid) return made;
        throw new EdgekitException(edgekit_error_code(error).ToString(), edgekit_error_message(error).ToString(),
            edgekit_error_next(error).ToString(), edgekit_error_axis(error).ToString());
    }

    internal static string Take(ErrorHandle error, DocumentHandle made) {
        using DocumentHandle document = Check(error, made);
        return edgekit_document_text(document).ToString();
    }

    /// <summary>Wait for the next event; null is one that only a later face knows.</summary>
    internal static Event? Next(RunHandle run) {
        var told = new Told { Size = (UIntPtr)sizeof(Told) };
        Check(edgekit_next(run, ref told), run);
        return told.Kind switch {
            1 => new Progress(told.Read, told.Of),
            2 => new Text(told.Text.ToString()),
            3 => new Thought(told.Text.ToString()),
            4 => new ToolCall(told.Id.ToString(), told.Name.ToString(), told.Text.ToString()),
            5 => new Done(told.Text.ToString()),
            _ => (Event?)null,
        };
    }
}

internal abstract class Handle : SafeHandleZeroOrMinusOneIsInvalid {
    private readonly Action<IntPtr> _free;
    protected Handle(Action<IntPtr> free) : base(true) => _free = free;
    protected override bool ReleaseHandle() { _free(handle); return true; }
}

internal sealed class RunHandle : Handle { private RunHandle() : base(Native.edgekit_run_free) { } }
internal sealed class ErrorHandle : Handle { private ErrorHandle() : base(Native.edgekit_error_free) { } }
internal sealed class ValuesHandle : Handle { private ValuesHandle() : base(Native.edgekit_values_free) { } }
internal sealed class DocumentHandle : Handle { private DocumentHandle() : base(Native.edgekit_document_free) { } }

internal sealed class BundleHandle : Handle {
    private readonly TaskCompletionSource<bool> _closed =
        new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
    private BundleHandle() : base(Native.edgekit_close) { }
    internal Task Closed => _closed.Task; // the last call that uses it has closed it
    protected override bool ReleaseHandle() => _closed.TrySetResult(base.ReleaseHandle());
}

/// <summary>Memory that stays where it is until this is disposed.</summary>
internal sealed unsafe class Pins : IDisposable {
    private static readonly byte[] Nothing = new byte[1]; // empty memory has an address too, for NULL asks for memory
    private readonly List<MemoryHandle> _pinned = new List<MemoryHandle>();
    public void Dispose() => _pinned.ForEach(pinned => pinned.Dispose());
    internal void* Pin<T>(Memory<T> memory) {
        if (memory.IsEmpty) return Pin<byte>(Nothing);
        _pinned.Add(memory.Pin());
        return _pinned[_pinned.Count - 1].Pointer;
    }

    internal Native.Utf8 Text(string? text) {
        byte[] bytes = Encoding.UTF8.GetBytes(text ?? "");
        return new Native.Utf8 { Data = (byte*)Pin<byte>(bytes), Size = (UIntPtr)bytes.Length };
    }
}
} // namespace Edgekit

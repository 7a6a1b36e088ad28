using System.Runtime.CompilerServices;

namespace StableTune.Torch;

/// <summary>Puts functions around modules from outside: around our layers, and around TorchSharp's or a host's own.</summary>
public static class ModuleWrapping
{
    // The functions belong to the module and live as long as it does. TorchSharp's modules have no place to keep them.
    private static readonly ConditionalWeakTable<nn.Module, HookedModule> s_hooked = [];

    /// <summary>
    /// Puts a function around what a module computes. Around a <see cref="Layer"/> it is <see cref="Layer.Wrap"/>; around any other module
    /// it is a forward hook, which acts when the module is used by <c>call</c>, as containers do, and not by <c>forward</c>.
    /// </summary>
    /// <param name="module">The module. What is around it is not part of it: it is neither saved nor disposed with it.</param>
    /// <param name="wrapper">
    /// Given the input and the original computation, it returns a fresh tensor in place of the output. <c>original(input)</c> hands over
    /// what the module has computed already; a second call, or another input, computes anew.
    /// </param>
    /// <returns>Disposing takes the function off; several come off in any order.</returns>
    public static IDisposable Wrap(this nn.Module<Tensor, Tensor> module, Func<Tensor, Func<Tensor, Tensor>, Tensor> wrapper)
    {
        ArgumentNullException.ThrowIfNull(module);
        return module is Layer layer ? layer.Wrap(wrapper) : s_hooked.GetValue(module, _ => new HookedModule()).Add(module, wrapper);
    }

    /// <summary>The functions around a module that only has hooks: one hook, while there are any.</summary>
    private sealed class HookedModule
    {
        private readonly WrapStack _wraps = new();
        private Action? _removeHook;

        internal IDisposable Add(nn.Module<Tensor, Tensor> module, Func<Tensor, Func<Tensor, Tensor>, Tensor> wrapper)
        {
            lock (_wraps)
            {
                var added = _wraps.Add(wrapper);
                _removeHook ??= module.register_forward_hook(Run).remove;
                return new Removal(() => Remove(added));
            }
        }

        private void Remove(IDisposable added)
        {
            lock (_wraps)
            {
                added.Dispose();
                if (!_wraps.IsEmpty) return;
                _removeHook?.Invoke();
                _removeHook = null;
            }
        }

        private Tensor Run(nn.Module<Tensor, Tensor> module, Tensor input, Tensor output)
        {
            var isTaken = false;
            var result = _wraps.Run(input, Original);
            if (!isTaken) output.Dispose();
            return result;

            Tensor Original(Tensor x)
            {
                if (isTaken || !ReferenceEquals(x, input)) return module.forward(x);
                isTaken = true;
                return ToCurrentScope(output);
            }
        }

        /// <summary>Moves a result to the scope of whoever asked for it, as if it had been computed there.</summary>
        private static Tensor ToCurrentScope(Tensor tensor)
        {
            using var scope = NewDisposeScope();
            scope.Attach(tensor);
            return tensor.MoveToOuterDisposeScope();
        }
    }

    private sealed class Removal(Action remove) : IDisposable
    {
        private Action? _remove = remove;

        public void Dispose() => Interlocked.Exchange(ref _remove, null)?.Invoke();
    }
}

namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>What registering a hook returns: the means to take the hook off again.</summary>
        public sealed class HookRemover
        {
            private Action? _remove;

            internal HookRemover(Action remove) => _remove = remove;

            /// <summary>Takes the hook off. A second call does nothing.</summary>
            public void remove() => Interlocked.Exchange(ref _remove, null)?.Invoke();
        }

        /// <summary>A module on whose <c>call</c> others can hook in. Without hooks, <c>call</c> costs one test more than <c>forward</c>.</summary>
        /// <typeparam name="TPreHook">The delegate that runs before <c>forward</c>.</typeparam>
        /// <typeparam name="TPostHook">The delegate that runs after it.</typeparam>
        /// <remarks>Hooks run in the order of registration. A hook may register and remove hooks: that shows at the next call.</remarks>
        public abstract class HookableModule<TPreHook, TPostHook> : Module
            where TPreHook : Delegate
            where TPostHook : Delegate
        {
            // Replaced as a whole at each change, so that a running call goes on over the array it began with. Null when there are none.
            private Entry<TPreHook>[]? _preHooks;
            private Entry<TPostHook>[]? _postHooks;

            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected HookableModule(string name) : base(name) { }

            /// <summary>Adds a hook that sees, and may replace, the output of <c>forward</c>.</summary>
            /// <param name="hook">
            /// Given the module, its inputs and the output so far; a result that is not null takes the output's place. The
            /// replaced output is left to the caller's dispose scope, because a graph may need it.
            /// </param>
            /// <returns>The means to remove it.</returns>
            public HookRemover register_forward_hook(TPostHook hook)
            {
                ArgumentNullException.ThrowIfNull(hook);
                var entry = new Entry<TPostHook>(hook);
                _postHooks = With(_postHooks, entry);
                return new HookRemover(() => _postHooks = Without(_postHooks, entry));
            }

            /// <summary>Adds a hook that sees, and may replace, the inputs before <c>forward</c>.</summary>
            /// <param name="hook">Given the module and its inputs; a result that is not null takes the inputs' place.</param>
            /// <returns>The means to remove it.</returns>
            public HookRemover register_forward_pre_hook(TPreHook hook)
            {
                ArgumentNullException.ThrowIfNull(hook);
                var entry = new Entry<TPreHook>(hook);
                _preHooks = With(_preHooks, entry);
                return new HookRemover(() => _preHooks = Without(_preHooks, entry));
            }

            private protected ReadOnlySpan<Entry<TPreHook>> PreHooks => _preHooks;

            private protected ReadOnlySpan<Entry<TPostHook>> PostHooks => _postHooks;

            private static Entry<T>[] With<T>(Entry<T>[]? entries, Entry<T> added) => [.. entries ?? [], added];

            private static Entry<T>[]? Without<T>(Entry<T>[]? entries, Entry<T> removed)
            {
                var rest = entries?.Where(entry => !ReferenceEquals(entry, removed)).ToArray();
                return rest is { Length: > 0 } ? rest : null;
            }
        }

        /// <summary>One registration; the same delegate may be registered twice.</summary>
        internal sealed class Entry<T>(T hook)
        {
            public T Hook { get; } = hook;
        }
    }
}

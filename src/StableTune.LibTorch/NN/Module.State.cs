using System.Text;

namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            /// <summary>
            /// All parameters and persistent buffers by dotted path: for each module its parameters, its buffers, then its
            /// children, in the order of registration. The tensors are the module's own, not copies: do not dispose them.
            /// </summary>
            /// <param name="destination">A dictionary to add to, or null for a new one.</param>
            /// <param name="prefix">Put before every name, with a dot between, or null for none.</param>
            /// <returns>The dictionary. A tensor that is registered twice occurs under both names.</returns>
            public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
            {
                destination ??= new Dictionary<string, Tensor>(StringComparer.Ordinal);
                var path = prefix ?? "";
                foreach (var (name, parameter) in _parameters) destination.Add(Join(path, name), parameter);
                foreach (var (name, buffer) in _buffers)
                    if (!_transientBuffers.Contains(name)) destination.Add(Join(path, name), buffer);
                foreach (var (name, child) in _children) child.state_dict(destination, Join(path, name));
                return destination;
            }

            /// <summary>
            /// Copies tensors into the module's own by name, converting dtype and device. All names and shapes are checked
            /// before the first is copied, so a failed load leaves the module as it was.
            /// </summary>
            /// <param name="source">Name to tensor. They are copied from, not kept.</param>
            /// <param name="strict">Whether a missing or unexpected name is an error.</param>
            /// <param name="skip">Names of this module to leave alone; they count neither as missing nor as unexpected.</param>
            /// <returns>The names that the module has and the source lacks, and those the source has and the module lacks.</returns>
            /// <exception cref="InvalidOperationException">
            /// Shapes differ (strict or not, as in PyTorch), or in strict mode names are missing or unexpected: one message
            /// lists all of them.
            /// </exception>
            public virtual (IList<string> missing_keys, IList<string> unexpected_keys) load_state_dict(
                IReadOnlyDictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null)
            {
                ArgumentNullException.ThrowIfNull(source);
                var skipped = new HashSet<string>(skip ?? [], StringComparer.Ordinal);
                var own = state_dict();
                var missing = own.Keys.Where(name => !skipped.Contains(name) && !source.ContainsKey(name)).ToList();
                var unexpected = source.Keys.Where(name => !skipped.Contains(name) && !own.ContainsKey(name)).ToList();
                var pairs = own.Where(entry => !skipped.Contains(entry.Key) && source.ContainsKey(entry.Key))
                    .Select(entry => (name: entry.Key, target: entry.Value, value: source[entry.Key])).ToList();
                var mismatched = pairs.Where(pair => !pair.target.shape.AsSpan().SequenceEqual(pair.value.shape))
                    .Select(pair => $"{pair.name}: the module has {Shape(pair.target)}, the source {Shape(pair.value)}").ToList();

                if (mismatched.Count > 0 || (strict && missing.Count + unexpected.Count > 0))
                    throw new InvalidOperationException(LoadMessage(missing, unexpected, mismatched));

                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                foreach (var (_, target, value) in pairs) target.copy_(value);
                return (missing, unexpected);
            }

            private string LoadMessage(List<string> missing, List<string> unexpected, List<string> mismatched)
            {
                var message = new StringBuilder($"The state dictionary does not fit {_name}; nothing was loaded. Give one of the same architecture, ")
                    .Append("pass strict: false to accept missing and unexpected names, or name tensors of other shapes in skip.");
                Append("missing", missing);
                Append("unexpected", unexpected);
                Append("of another shape", mismatched);
                return message.ToString();

                void Append(string what, List<string> lines)
                {
                    if (lines.Count == 0) return;
                    message.Append('\n').Append("  ").Append(lines.Count).Append(' ').Append(what).Append(':');
                    foreach (var line in lines) message.Append("\n    ").Append(line);
                }
            }

            private static string Shape(Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";
        }
    }
}

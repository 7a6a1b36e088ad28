namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            /// <summary>The direct children with their names, in the order of registration.</summary>
            public virtual IEnumerable<(string name, Module module)> named_children()
                => _children.Select(child => (child.Key, child.Value));

            /// <summary>The direct children, in the order of registration.</summary>
            public IEnumerable<Module> children() => _children.Values;

            /// <summary>
            /// All modules below this one with their dotted paths, parents before their children, each module once. As in
            /// TorchSharp, and unlike PyTorch, the module itself is not among them.
            /// </summary>
            public virtual IEnumerable<(string name, Module module)> named_modules() => Walk(recurse: true).Skip(1);

            /// <summary>All modules below this one, parents before their children, each once.</summary>
            public IEnumerable<Module> modules() => named_modules().Select(entry => entry.module);

            /// <summary>All parameters with their dotted paths: own ones first, then the children's, in the order of registration.</summary>
            /// <param name="recurse">False gives this module's own only.</param>
            /// <returns>Each parameter once, also when two paths lead to it.</returns>
            public virtual IEnumerable<(string name, Modules.Parameter parameter)> named_parameters(bool recurse = true)
                => Walk(recurse).SelectMany(at => at.module._parameters.Select(own => (name: Join(at.name, own.Key), parameter: own.Value)))
                    .DistinctBy(entry => entry.parameter, ByReference<Modules.Parameter>());

            /// <summary>All parameters in the order of <see cref="named_parameters"/>.</summary>
            /// <param name="recurse">False gives this module's own only.</param>
            public virtual IEnumerable<Modules.Parameter> parameters(bool recurse = true)
                => named_parameters(recurse).Select(entry => entry.parameter);

            /// <summary>All buffers with their dotted paths: own ones first, then the children's.</summary>
            /// <param name="recurse">False gives this module's own only.</param>
            /// <returns>Each buffer once, also when two paths lead to it.</returns>
            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true)
                => Walk(recurse).SelectMany(at => at.module._buffers.Select(own => (name: Join(at.name, own.Key), buffer: own.Value)))
                    .DistinctBy(entry => entry.buffer, ByReference<Tensor>());

            /// <summary>All buffers in the order of <see cref="named_buffers"/>.</summary>
            /// <param name="recurse">False gives this module's own only.</param>
            public virtual IEnumerable<Tensor> buffers(bool recurse = true) => named_buffers(recurse).Select(entry => entry.buffer);

            /// <summary>The parameter at a dotted path below this module, or null.</summary>
            /// <param name="target">Such as <c>time_embedding.linear_1.weight</c>.</param>
            public Modules.Parameter? get_parameter(string target)
                => Find(target, out var last) is { } module ? module._parameters.GetValueOrDefault(last) : null;

            /// <summary>The buffer at a dotted path below this module, or null.</summary>
            /// <param name="target">Such as <c>text_model.embeddings.position_ids</c>.</param>
            public Tensor? get_buffer(string target)
                => Find(target, out var last) is { } module ? module._buffers.GetValueOrDefault(last) : null;

            /// <summary>Whether a parameter stands at this dotted path.</summary>
            /// <param name="target">Such as <c>conv_in.bias</c>.</param>
            public bool has_parameter(string target) => get_parameter(target) is not null;

            /// <summary>Whether a buffer stands at this dotted path.</summary>
            /// <param name="target">Such as <c>text_model.embeddings.position_ids</c>.</param>
            public bool has_buffer(string target) => get_buffer(target) is not null;

            /// <summary>Calls <paramref name="fn"/> with every module below, children before their parents, and last with this one.</summary>
            /// <param name="fn">What to do with each module.</param>
            /// <returns>This module.</returns>
            public virtual Module apply(Action<Module> fn)
            {
                ArgumentNullException.ThrowIfNull(fn);
                foreach (var child in _children.Values) child.apply(fn);
                fn(this);
                return this;
            }

            /// <summary>This module under "" and, when asked, all below it: parents first, each once, in the order of registration.</summary>
            private List<(string name, Module module)> Walk(bool recurse)
            {
                var found = new List<(string, Module)>();
                if (recurse) Collect("", found, new HashSet<Module>(ByReference<Module>()));
                else found.Add(("", this));
                return found;
            }

            private void Collect(string path, List<(string, Module)> found, HashSet<Module> seen)
            {
                if (!seen.Add(this)) return;
                found.Add((path, this));
                foreach (var (name, child) in _children) child.Collect(Join(path, name), found, seen);
            }

            private Module? Find(string target, out string last)
            {
                ArgumentNullException.ThrowIfNull(target);
                var names = target.Split('.');
                last = names[^1];
                var module = this;
                foreach (var name in names.AsSpan(0, names.Length - 1))
                    if (!module._children.TryGetValue(name, out module)) return null;
                return module;
            }

            private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

            private static IEqualityComparer<T> ByReference<T>() where T : class => ReferenceEqualityComparer.Instance;
        }
    }
}

using System.Reflection;

namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>
        /// A node of a network: it owns parameters (trained or frozen), buffers (other state) and child modules, each under
        /// a name. The dotted path of names is the key of a tensor in a weights file.
        /// </summary>
        /// <remarks>
        /// Lifetime: a module owns its tensors. Registration detaches them from every dispose scope, and <see cref="Dispose()"/>
        /// frees them together with the children. Scopes: every <c>forward</c> that makes more than its result opens a dispose
        /// scope and moves only the result out; <c>call</c> opens none, so the result, and whatever a hook creates, belong to
        /// the scope of the caller. A <c>forward</c> returns a fresh tensor object, never one of its arguments.
        /// </remarks>
        public partial class Module : IDisposable
        {
            private readonly string _name;
            private readonly OrderedDictionary<string, Modules.Parameter> _parameters = new(StringComparer.Ordinal);
            private readonly OrderedDictionary<string, Tensor> _buffers = new(StringComparer.Ordinal);
            private readonly OrderedDictionary<string, Module> _children = new(StringComparer.Ordinal);
            private readonly HashSet<string> _transientBuffers = new(StringComparer.Ordinal);
            private bool _disposed;

            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself, by custom the name of its class. Not its key in the parent.</param>
            protected Module(string name)
            {
                ArgumentNullException.ThrowIfNull(name);
                _name = name;
            }

            /// <summary>What the module calls itself: the name given to its constructor.</summary>
            public virtual string GetName() => _name;

            /// <summary>Whether the module is in training mode (dropout active). True from the start, as in PyTorch.</summary>
            public bool training { get; private set; } = true;

            /// <summary>Puts this module and all below it into training mode, or out of it.</summary>
            /// <param name="on">True for training, false for evaluation.</param>
            public virtual void train(bool on = true)
            {
                training = on;
                foreach (var child in _children.Values) child.train(on);
            }

            /// <summary>Puts this module and all below it into evaluation mode: <c>train(false)</c>.</summary>
            public void eval() => train(false);

            /// <summary>
            /// Registers every instance field (private ones and those of base classes too) that holds a <see cref="Module"/>, a
            /// <see cref="Modules.Parameter"/> or any other <see cref="Tensor"/> (as a buffer), under the field's name and in
            /// the order of declaration, base classes first. An automatic property counts under the property's name. Null fields
            /// are passed over, arrays and collections are not looked into, and what is registered already is left alone.
            /// </summary>
            /// <exception cref="InvalidOperationException">A name is taken by another object.</exception>
            protected void RegisterComponents()
            {
                foreach (var field in ComponentFields(GetType()))
                {
                    var name = ComponentName(field);
                    switch (field.GetValue(this))
                    {
                        case Module child when !IsRegistered(name, child): register_module(name, child); break;
                        case Modules.Parameter parameter when !IsRegistered(name, parameter): register_parameter(name, parameter); break;
                        case Tensor buffer and not Modules.Parameter when !IsRegistered(name, buffer): register_buffer(name, buffer); break;
                    }
                }
            }

            /// <summary>Adds a child module under <paramref name="name"/>.</summary>
            /// <param name="name">The child's key: not empty, without a dot, not taken.</param>
            /// <param name="submodule">The child. From now on disposed together with this module.</param>
            /// <exception cref="ArgumentException">The name is empty or holds a dot.</exception>
            /// <exception cref="InvalidOperationException">The name is taken, or the child is this module itself.</exception>
            public virtual void register_module(string name, Module submodule)
            {
                ArgumentNullException.ThrowIfNull(submodule);
                if (ReferenceEquals(submodule, this))
                    throw new InvalidOperationException($"{_name}: a module cannot be registered as its own child '{name}'.");
                CheckFree(name);
                _children.Add(name, submodule);
            }

            /// <summary>Adds a parameter under <paramref name="name"/>.</summary>
            /// <param name="name">Its key: not empty, without a dot, not taken.</param>
            /// <param name="param">The parameter. From now on disposed together with this module.</param>
            /// <exception cref="ArgumentException">The name is empty or holds a dot.</exception>
            /// <exception cref="InvalidOperationException">The name is taken.</exception>
            public virtual void register_parameter(string name, Modules.Parameter param)
            {
                ArgumentNullException.ThrowIfNull(param);
                CheckFree(name);
                param.DetachFromDisposeScope();
                _parameters.Add(name, param);
            }

            /// <summary>Adds a buffer: a tensor that is state of the module, but that no optimizer changes.</summary>
            /// <param name="name">Its key: not empty, without a dot, not taken.</param>
            /// <param name="tensor">The tensor. From now on disposed together with this module.</param>
            /// <param name="persistent">False keeps it out of <see cref="state_dict"/>.</param>
            /// <exception cref="ArgumentException">The name is empty or holds a dot.</exception>
            /// <exception cref="InvalidOperationException">The name is taken.</exception>
            public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
            {
                ArgumentNullException.ThrowIfNull(tensor);
                CheckFree(name);
                tensor.DetachFromDisposeScope();
                _buffers.Add(name, tensor);
                if (!persistent) _transientBuffers.Add(name);
            }

            /// <summary>Frees all parameters, buffers and children. The module cannot be used afterwards.</summary>
            public void Dispose()
            {
                Dispose(disposing: true);
                GC.SuppressFinalize(this);
            }

            /// <summary>Frees what the module owns. A subclass that holds more frees that and calls this.</summary>
            /// <param name="disposing">False when called by a finalizer: then nothing managed may be touched.</param>
            protected virtual void Dispose(bool disposing)
            {
                if (_disposed || !disposing) return;
                _disposed = true;
                foreach (var parameter in _parameters.Values) parameter.Dispose();
                foreach (var buffer in _buffers.Values) buffer.Dispose();
                foreach (var child in _children.Values) child.Dispose();
            }

            /// <summary>Gives a key of a child to another module (for <c>ModuleList</c> and <c>ModuleDict</c>); the old one is not disposed.</summary>
            private protected void ReplaceModule(string name, Module submodule) => _children[name] = submodule;

            /// <summary>Forgets all children without disposing them (for <c>ModuleList</c> and <c>ModuleDict</c>).</summary>
            private protected void ForgetModules() => _children.Clear();

            private bool IsRegistered(string name, object component)
                => (_children.TryGetValue(name, out var child) && ReferenceEquals(child, component))
                || (_parameters.TryGetValue(name, out var parameter) && ReferenceEquals(parameter, component))
                || (_buffers.TryGetValue(name, out var buffer) && ReferenceEquals(buffer, component));

            private void CheckFree(string name)
            {
                if (string.IsNullOrEmpty(name) || name.Contains('.', StringComparison.Ordinal))
                    throw new ArgumentException($"{_name}: '{name}' cannot be the name of a component: give one that is not empty and holds no dot.", nameof(name));
                if (_children.ContainsKey(name) || _parameters.ContainsKey(name) || _buffers.ContainsKey(name))
                    throw new InvalidOperationException($"{_name}: the name '{name}' is taken by another component: choose another name.");
            }

            private static IEnumerable<FieldInfo> ComponentFields(Type type)
            {
                const BindingFlags own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
                var chain = new Stack<Type>();
                for (var t = type; t is not null && t != typeof(Module); t = t.BaseType) chain.Push(t);
                return chain.SelectMany(t => t.GetFields(own).OrderBy(field => field.MetadataToken));
            }

            /// <summary>The field's name, or the property's where the compiler made the field ("&lt;weight&gt;k__BackingField").</summary>
            private static string ComponentName(FieldInfo field)
                => field.Name[0] == '<' ? field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)] : field.Name;
        }
    }
}

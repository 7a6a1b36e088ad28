using System.Collections;
using System.Globalization;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>Modules applied one after another.</summary>
public sealed class Sequential : nn.Module<Tensor, Tensor>, IReadOnlyList<nn.Module<Tensor, Tensor>>
{
    private readonly List<nn.Module<Tensor, Tensor>> _steps = [];

    /// <summary>Creates an empty chain.</summary>
    public Sequential() : base(nameof(Sequential)) { }

    /// <summary>Creates the chain; the keys of its members are their numbers, from "0".</summary>
    /// <param name="modules">The members, in order. The chain owns them.</param>
    public Sequential(params nn.Module<Tensor, Tensor>[] modules) : base(nameof(Sequential))
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var module in modules) Add(module);
    }

    /// <summary>Creates the chain with keys of its own.</summary>
    /// <param name="modules">Names and members, in order. The chain owns them.</param>
    public Sequential(params (string name, nn.Module<Tensor, Tensor> submodule)[] modules) : base(nameof(Sequential))
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var (name, module) in modules) append(name, module);
    }

    /// <summary>Number of members.</summary>
    public int Count => _steps.Count;

    /// <summary>A member by number.</summary>
    /// <param name="index">From 0.</param>
    public nn.Module<Tensor, Tensor> this[int index] => _steps[index];

    /// <summary>Adds a member at the end; its key is its number.</summary>
    /// <param name="module">The member.</param>
    public void Add(nn.Module<Tensor, Tensor> module) => append(_steps.Count.ToString(CultureInfo.InvariantCulture), module);

    /// <summary>Adds a member at the end.</summary>
    /// <param name="name">Its key.</param>
    /// <param name="module">The member.</param>
    /// <returns>This chain.</returns>
    public Sequential append(string name, nn.Module<Tensor, Tensor> module)
    {
        register_module(name, module);
        _steps.Add(module);
        return this;
    }

    /// <summary>Calls the members one after another.</summary>
    /// <param name="input">What the first takes.</param>
    /// <returns>What the last gives; another object for the input when there are none.</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var result = input;
        foreach (var step in _steps) result = step.call(result);
        return (ReferenceEquals(result, input) ? input.alias() : result).MoveToOuterDisposeScope();
    }

    /// <summary>The members, in order.</summary>
    public IEnumerator<nn.Module<Tensor, Tensor>> GetEnumerator() => _steps.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A list of child modules whose keys are their numbers, from "0". It computes nothing itself.</summary>
/// <typeparam name="T">What the members have in common.</typeparam>
public sealed class ModuleList<T> : nn.Module, IReadOnlyList<T> where T : nn.Module
{
    private readonly List<T> _members = [];

    /// <summary>Creates the list.</summary>
    /// <param name="modules">The members, in order. The list owns them.</param>
    public ModuleList(params IEnumerable<T> modules) : base(nameof(ModuleList<T>))
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var module in modules) Add(module);
    }

    /// <summary>Number of members.</summary>
    public int Count => _members.Count;

    /// <summary>A member by number. The one that a new one takes the place of is not disposed.</summary>
    /// <param name="index">From 0.</param>
    public T this[int index]
    {
        get => _members[index];
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            _members[index] = value;
            ReplaceModule(Key(index), value);
        }
    }

    /// <summary>Adds a member at the end.</summary>
    /// <param name="module">The member.</param>
    public void Add(T module)
    {
        register_module(Key(_members.Count), module);
        _members.Add(module);
    }

    /// <summary>Adds a member at the end.</summary>
    /// <param name="module">The member.</param>
    public void append(T module) => Add(module);

    /// <summary>Adds members at the end.</summary>
    /// <param name="modules">The members, in order.</param>
    public void extend(IEnumerable<T> modules)
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var module in modules) Add(module);
    }

    /// <summary>Puts a member before the one at <paramref name="index"/>; the keys behind it grow by one.</summary>
    /// <param name="index">From 0 to <see cref="Count"/>.</param>
    /// <param name="module">The member.</param>
    public void insert(int index, T module)
    {
        ArgumentNullException.ThrowIfNull(module);
        _members.Insert(index, module);
        ForgetModules();
        for (var i = 0; i < _members.Count; i++) register_module(Key(i), _members[i]);
    }

    /// <summary>The members, in order.</summary>
    public IEnumerator<T> GetEnumerator() => _members.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static string Key(int index) => index.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Child modules under keys of the caller's choice, in the order of adding. It computes nothing itself.</summary>
/// <typeparam name="T">What the members have in common.</typeparam>
public sealed class ModuleDict<T> : nn.Module, IReadOnlyDictionary<string, T> where T : nn.Module
{
    private readonly OrderedDictionary<string, T> _members = new(StringComparer.Ordinal);

    /// <summary>Creates the dictionary.</summary>
    /// <param name="modules">Keys, without dots, and members. The dictionary owns them.</param>
    public ModuleDict(params IEnumerable<(string key, T module)> modules) : base(nameof(ModuleDict<T>))
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var (key, module) in modules) Add(key, module);
    }

    /// <summary>Number of members.</summary>
    public int Count => _members.Count;

    /// <summary>The keys, in the order of adding.</summary>
    public IEnumerable<string> Keys => _members.Keys;

    /// <summary>The members, in the order of adding.</summary>
    public IEnumerable<T> Values => _members.Values;

    /// <summary>A member by key. Setting adds or replaces; the one replaced is not disposed.</summary>
    /// <param name="key">The key.</param>
    /// <exception cref="KeyNotFoundException">Reading a key that is not there.</exception>
    public T this[string key]
    {
        get => _members[key];
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (!_members.ContainsKey(key)) Add(key, value);
            else
            {
                _members[key] = value;
                ReplaceModule(key, value);
            }
        }
    }

    /// <summary>Adds a member.</summary>
    /// <param name="key">Its key: not empty, without a dot, not taken.</param>
    /// <param name="module">The member.</param>
    /// <exception cref="ArgumentException">The key is empty or holds a dot.</exception>
    /// <exception cref="InvalidOperationException">The key is taken.</exception>
    public void Add(string key, T module)
    {
        register_module(key, module);
        _members.Add(key, module);
    }

    /// <summary>Whether there is a member under this key.</summary>
    /// <param name="key">The key.</param>
    public bool ContainsKey(string key) => _members.ContainsKey(key);

    /// <summary>Looks a member up.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The member, when there is one.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetValue(string key, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T value) => _members.TryGetValue(key, out value);

    /// <summary>Keys and members, in the order of adding.</summary>
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => _members.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

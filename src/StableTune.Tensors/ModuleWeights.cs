using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>Loads weights files into modules.</summary>
public static class ModuleWeights
{
    /// <summary>Where a tensor's numbers are once its loading is planned: loaded, in the mapped file, or yet to be read.</summary>
    private enum Place
    {
        Loaded,
        Mapped,
        Read,
    }

    /// <summary>
    /// Loads the file's tensors into the module's parameters and persistent buffers of the same names. Bytes go from the file
    /// straight into the parameters' memory, so nothing is held twice; build the module under <c>LayerInitialization.Skip()</c>, then no
    /// time is spent on random values either, or under <c>LayerInitialization.WithoutMemory()</c> where weights stay in the mapped file.
    /// What does not fit is left out and reported; see
    /// <see cref="LoadReport.ThrowIfIncomplete"/>.
    /// </summary>
    /// <param name="module">The module; parameters keep their identity, device and wish for a gradient.</param>
    /// <param name="file">The weights.</param>
    /// <param name="rename">The module's name for a name of the file, or null to pass over it (it then counts as known).
    /// Without: the same name.</param>
    /// <param name="dtype">The type that floating-point parameters and buffers shall have; null keeps the module's.</param>
    /// <param name="options">Storage, threads, progress, cancellation; null for the defaults.</param>
    /// <returns>What was missing, unexpected, of another shape, or no number.</returns>
    /// <exception cref="InvalidFileException">Two names of the file become the same name of the module, or the file became
    /// shorter.</exception>
    /// <exception cref="OperationCanceledException">The token was set; a part of the weights is loaded.</exception>
    public static LoadReport LoadInto(
        nn.Module module, WeightFile file, Func<string, string?>? rename = null, ScalarType? dtype = null,
        ModuleLoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(file);
        options ??= new ModuleLoadOptions();
        var (pairs, report) = Match(module, file, rename);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var reader = new TensorReader(file.Source);
        var broken = new HashSet<TensorInfo>();
        foreach (var (info, target, _) in pairs)
        {
            // What is stored as whole numbers (which no known file does with weights) still becomes what the module needs.
            var type = options.KeepStoredTypes && info.DType.IsFloat() ? info.DType.ToScalarType() : dtype;
            var place = Plan(reader, file, info, target, type, options.Maps);
            if (!options.CheckNumbers || place == Place.Read) continue;
            if (place == Place.Mapped) reader.AddToCheck(info, target);
            else if (FiniteNumbers.Fault(target) is not null) broken.Add(info);
        }

        broken.UnionWith(reader.Run(options));
        return broken.Count == 0 ? report
            : report with { NotFinite = [.. pairs.Where(pair => broken.Contains(pair.Info)).Select(pair => pair.Name)] };
    }

    /// <summary>As <see cref="LoadInto"/>, but only compares names and shapes; loads nothing.</summary>
    /// <param name="module">The module.</param>
    /// <param name="file">The weights.</param>
    /// <param name="rename">As in <see cref="LoadInto"/>.</param>
    public static LoadReport Compare(nn.Module module, WeightFile file, Func<string, string?>? rename = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(file);
        return Match(module, file, rename).Report;
    }

    private static (List<(TensorInfo Info, Tensor Target, string Name)> Pairs, LoadReport Report) Match(
        nn.Module module, WeightFile file, Func<string, string?>? rename)
    {
        var own = ModuleTensors.Named(module);
        var (unexpected, mismatched) = (new List<string>(), new List<ShapeMismatch>());
        var pairs = new List<(TensorInfo, Tensor, string)>();
        var sources = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var info in file.Tensors)
        {
            if ((rename is null ? info.Name : rename(info.Name)) is not { } name) continue;
            if (!sources.TryAdd(name, info.Name))
                throw new InvalidFileException(file.Path,
                    $"the tensors '{sources[name]}' and '{info.Name}' are both '{name}' of the model.",
                    "Remove one of them from the file.");
            if (!own.TryGetValue(name, out var target)) unexpected.Add(info.Name);
            else if (!target.shape.SequenceEqual(info.Shape)) mismatched.Add(new ShapeMismatch(name, target.shape, info.Shape));
            else pairs.Add((info, target, name));
        }

        var missing = own.Keys.Where(name => !sources.ContainsKey(name)).ToList();
        return (pairs, new LoadReport(file.Path, missing, unexpected, mismatched));
    }

    /// <summary>Gives the target the memory and type it shall have, and plans the reading into it where that is left to do.</summary>
    private static Place Plan(TensorReader reader, WeightFile file, TensorInfo info, Tensor target, ScalarType? dtype, bool maps)
    {
        var type = dtype is { } wanted && target.dtype.IsFloat() ? wanted : target.dtype;
        // Elsewhere one tensor at a time by way of the CPU; a parameter of another type gets new memory on its device.
        var device = target.device.type == DeviceType.CPU ? null : target.device;
        var sameBits = info.DType.HasBitsOf(type);
        if (device is not null || (!sameBits && !FloatConversion.Handles(info.DType, type)))
        {
            using var step = NewDisposeScope();
            target.SetData(file.LoadOne(info, type, device));
            return Place.Loaded;
        }

        if (maps && sameBits && Map(file, info, type) is { } mapped)
        {
            target.SetData(mapped);
            return Place.Mapped;
        }

        if (target.dtype != type || !target.is_contiguous()) target.SetData(empty(target.shape, dtype: type));
        reader.Add(info, target);
        return Place.Read;
    }

    /// <summary>The tensor over the mapped file, or null where it does not lie there as it is needed.</summary>
    private static Tensor? Map(WeightFile file, TensorInfo info, ScalarType type)
    {
        if (info.ByteCount == 0) return null;
        if (file.Source.Lease(info) is not { } lease) return null;
        if (lease.Pointer % type.Size() == 0)
            return MappedMemory.ToTensor(lease.Pointer, [.. info.Shape], type, lease.Dispose, isFile: true);
        lease.Dispose();
        return null;
    }
}

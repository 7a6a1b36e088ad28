using StableTune.Models;
using StableTune.Torch;

namespace StableTune.Training;

/// <summary>
/// Parts of a model that steps do not need: they wait in host memory, and come to the device while something needs them, such as samples.
/// </summary>
internal sealed class WaitingParts
{
    private readonly nn.Module[] _modules;
    private readonly Device _device;
    private readonly Action<nn.Module, Device> _move;
    private int _users;

    /// <summary>Moves parts to host memory.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parts">Which; those that are not there are passed over.</param>
    /// <param name="device">Where they are used.</param>
    /// <param name="move">Moves a module; null for copying its weights.</param>
    public WaitingParts(StableDiffusionModel model, ModelParts parts, Device device, Action<nn.Module, Device>? move = null)
    {
        (_device, _move) = (device, move ?? ((module, to) => module.MoveTo(to)));
        var there = parts & model.Parts;
        _modules = [.. there.HasFlag(ModelParts.Vae) ? [model.Vae] : Array.Empty<nn.Module>(),
            .. there.HasFlag(ModelParts.TextEncoder) ? model.TextEncoders : []];
        MoveTo(CPU);
    }

    /// <summary>Brings the parts to the device until disposed.</summary>
    public IDisposable Bring()
    {
        if (_users++ == 0) MoveTo(_device);
        return new Use(this);
    }

    /// <summary>Brings the parts to the device for good, for whoever uses the model after the run.</summary>
    public void End() => Bring();

    private void MoveTo(Device device)
    {
        foreach (var module in _modules) _move(module, device);
    }

    private sealed class Use(WaitingParts parts) : IDisposable
    {
        private bool _isOver;

        public void Dispose()
        {
            if (_isOver) return;
            _isOver = true;
            if (--parts._users == 0) parts.MoveTo(CPU);
        }
    }
}

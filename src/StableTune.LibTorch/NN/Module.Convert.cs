namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            /// <summary>Says for every parameter below whether it wants a gradient.</summary>
            /// <param name="requires_grad">False freezes the module.</param>
            /// <returns>This module.</returns>
            public virtual Module requires_grad_(bool requires_grad = true)
            {
                foreach (var parameter in parameters()) parameter.requires_grad = requires_grad;
                return this;
            }

            /// <summary>Clears the gradients of all parameters.</summary>
            /// <param name="set_to_none">True frees them; false fills them with zeros and keeps their memory.</param>
            public virtual void zero_grad(bool set_to_none = true)
            {
                foreach (var parameter in parameters())
                {
                    if (set_to_none) parameter.grad = null;
                    else
                    {
                        using var gradient = parameter.grad;
                        using var frozen = no_grad();
                        gradient?.zero_()?.Dispose();
                    }
                }
            }

            /// <summary>
            /// Moves parameters, buffers and gradients to another device and, where they are floating-point, to another dtype.
            /// The tensor objects stay the same, so an optimizer that holds them keeps working.
            /// </summary>
            /// <param name="device">Where to, or null to stay.</param>
            /// <param name="dtype">The new floating-point type, or null to keep each tensor's.</param>
            /// <exception cref="ArgumentException">The dtype is not a floating-point one.</exception>
            internal void Convert(Device? device, ScalarType? dtype)
            {
                if (dtype is { } wanted && !is_floating_point(wanted))
                    throw new ArgumentException($"{_name}: a module cannot be converted to {wanted}: give a floating-point type.", nameof(dtype));
                using var frozen = no_grad();
                using var scope = NewDisposeScope();
                foreach (var parameter in parameters())
                {
                    using var step = NewDisposeScope();
                    var gradient = parameter.grad;
                    Convert(parameter, device, dtype);
                    if (gradient is null) continue;
                    parameter.grad = gradient.to(device ?? gradient.device).to(dtype ?? gradient.dtype);
                }
                foreach (var buffer in buffers()) Convert(buffer, device, dtype);
            }

            private static void Convert(Tensor tensor, Device? device, ScalarType? dtype)
            {
                var target = dtype is { } wanted && is_floating_point(tensor.dtype) ? wanted : tensor.dtype;
                if (target == tensor.dtype && (device is null || device.Equals(tensor.device))) return;
                using var step = NewDisposeScope();
                // set_data keeps the tensor's identity: who holds it (an optimizer, a hook) sees the converted values.
                tensor.grad = null;
                Ops.SetData.Do(tensor, tensor.detach().to(device ?? tensor.device).to(target));
            }
        }
    }
}

/// <summary>Conversions of whole modules that return the module itself, under its own type.</summary>
public static class ModuleExtensionMethods
{
    /// <summary>Moves the module's tensors to a device.</summary>
    /// <typeparam name="T">The module's type.</typeparam>
    /// <param name="module">The module; changed in place.</param>
    /// <param name="device">Where to.</param>
    /// <returns>The module.</returns>
    public static T to<T>(this T module, torch.Device device) where T : torch.nn.Module => Converted(module, device, null);

    /// <summary>Converts the module's floating-point tensors; integer buffers keep their type.</summary>
    /// <typeparam name="T">The module's type.</typeparam>
    /// <param name="module">The module; changed in place.</param>
    /// <param name="type">A floating-point type.</param>
    /// <returns>The module.</returns>
    /// <exception cref="ArgumentException">The type is not a floating-point one.</exception>
    public static T to<T>(this T module, torch.ScalarType type) where T : torch.nn.Module => Converted(module, null, type);

    /// <summary>Moves the module's tensors to a device and converts the floating-point ones.</summary>
    /// <typeparam name="T">The module's type.</typeparam>
    /// <param name="module">The module; changed in place.</param>
    /// <param name="device">Where to.</param>
    /// <param name="dtype">A floating-point type.</param>
    /// <returns>The module.</returns>
    /// <exception cref="ArgumentException">The type is not a floating-point one.</exception>
    public static T to<T>(this T module, torch.Device device, torch.ScalarType dtype) where T : torch.nn.Module
        => Converted(module, device, dtype);

    private static T Converted<T>(T module, torch.Device? device, torch.ScalarType? dtype) where T : torch.nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        module.Convert(device, dtype);
        return module;
    }
}

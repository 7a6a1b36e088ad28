namespace StableTune.Checkpoints;

/// <summary>In which direction a row of a layout is used.</summary>
public enum LayoutUse
{
    /// <summary>In both: the names of today.</summary>
    Both,

    /// <summary>Only from checkpoint to module: an older name in checkpoints.</summary>
    Reading,

    /// <summary>Only from module to checkpoint: an older name in diffusers' files.</summary>
    Writing,
}

/// <summary>One row of a layout: a module, layer or tensor, under its name in diffusers and in single-file checkpoints.</summary>
/// <param name="Module">The name in the module, such as <c>mid_block.resnets.0.norm1</c>; stands for itself and for all that lies below
/// it.</param>
/// <param name="File">The name in the file, such as <c>model.diffusion_model.middle_block.0.in_layers.0</c>.</param>
/// <param name="Form">How the shapes differ.</param>
/// <param name="Use">In which direction the row is used.</param>
public sealed record LayoutRow(string Module, string File, TensorForm Form = TensorForm.Same, LayoutUse Use = LayoutUse.Both);

/// <summary>A tensor under its name on the other side.</summary>
/// <param name="Name">The name there.</param>
/// <param name="Form">How the shapes differ.</param>
public readonly record struct LayoutName(string Name, TensorForm Form);

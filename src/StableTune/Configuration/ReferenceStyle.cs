namespace StableTune;

/// <summary>Whose names and defaults a command line has.</summary>
public enum ReferenceStyle
{
    /// <summary>sd-scripts (kohya-ss): <c>--network_module networks.lora --train_data_dir ...</c></summary>
    SdScripts,

    /// <summary>sd-trainer: a YAML file, or its keys as <c>--train.lr 1e-4</c>.</summary>
    SdTrainer,

    /// <summary>ppdiffusers' and diffusers' examples: <c>--instance_data_dir ... --instance_prompt ...</c></summary>
    PpDiffusers,
}

/// <summary>Which of the references' training programs a configuration is meant for: it decides what is trained, and some
/// defaults.</summary>
[Flags]
public enum RunScript
{
    /// <summary>No program.</summary>
    None = 0,

    /// <summary>Adapters: <c>train_network.py</c>.</summary>
    Network = 1,

    /// <summary>The model's own weights on folders of images: <c>train_db.py</c>.</summary>
    DreamBooth = 2,

    /// <summary>The model's own weights on a metadata file: <c>fine_tune.py</c>.</summary>
    FineTune = 4,

    /// <summary>The embedding of a new word: <c>train_textual_inversion.py</c>.</summary>
    TextualInversion = 8,

    /// <summary>A ControlNet: <c>train_controlnet.py</c>.</summary>
    ControlNet = 16,

    /// <summary>The embeddings of a new word, for each attention layer its own: <c>train_textual_inversion_XTI.py</c>.</summary>
    ExtendedTextualInversion = 32,

    /// <summary>All of them.</summary>
    All = Network | DreamBooth | FineTune | TextualInversion | ControlNet | ExtendedTextualInversion,
}

namespace StableTune.Training;

/// <summary>
/// A part of a run that remembers something from step to step. What it writes into a state must be enough to go on as if the run had
/// never stopped: the same numbers, bit for
/// bit, on the same machine.
/// </summary>
public interface IResumable
{
    /// <summary>The name of this thing in the state, unique in the run, of letters, digits, <c>-</c>, <c>_</c> and <c>/</c>: "optimizer",
    /// "trainables/lora" ... Tensors go to a file of that name.</summary>
    string Name { get; }

    /// <summary>
    /// Whether tensors that it writes are as they were until weights are next updated, as what is trained and what an optimizer remembers:
    /// a save in the background then reads them where they are, and copies them only when an update comes first. Default false.
    /// </summary>
    bool TensorsLastUntilUpdate => false;

    /// <summary>Writes what it remembers. Called between two steps, on the training thread.</summary>
    void Save(StateWriter writer);

    /// <summary>Takes over what <see cref="Save"/> wrote. Called before the first step.</summary>
    /// <exception cref="InvalidFileException">The state lacks something, or holds it in another shape.</exception>
    void Load(StateReader reader);
}

using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using StableTune.Training;

namespace StableTune;

/// <content>What a run writes, draws and tells.</content>
public sealed partial class TrainerBuilder
{
    /// <summary>Writes what is trained to this file at the end, and beside it under numbered names when saved during training.</summary>
    /// <param name="path">
    /// For adapters a .safetensors file, or a .pt file, which has no place for metadata; for a whole model a file or folder. Where
    /// several things are trained, <c>{name}</c> in it
    /// stands for the name of each.
    /// </param>
    /// <param name="format">The format of the saved numbers; null follows the compute precision: float32, or bfloat16.</param>
    public TrainerBuilder SaveTo(string path, NumberFormat? format = null) =>
        SaveTo(new TrainableSaver(Given(path)) { Precision = Type(format) });

    /// <summary>Lets results take the place of files that exist. Unless called, the run does not start then.</summary>
    public TrainerBuilder Overwrite(bool on = true) => Set(_plan with { Overwrite = on });

    /// <summary>Lets the result hand back the model with what was trained on it (<see cref="TrainingResult.Model"/>), to be drawn with
    /// and then disposed of.</summary>
    public TrainerBuilder KeepModel(bool on = true) => Set(_plan with { KeepModel = on });

    /// <summary>
    /// Writes the state of the run with each save (<see cref="SaveEvery"/>), at the end and when it is cancelled;
    /// <see cref="ResumeFrom"/> goes on from it as if the run had never
    /// stopped.
    /// </summary>
    /// <param name="path">Where states go, with the beginning of their names: "out/frog" gives <c>out/frog-step00000100-state</c>.</param>
    /// <param name="keepLast">Numbered states that are kept; null for all.</param>
    public TrainerBuilder SaveState(string path, int? keepLast = null) => SaveTo(new StateSaver(Given(path)) { KeepLast = keepLast });

    /// <summary>
    /// Begins with a later epoch or step: images are drawn as there, epochs and steps counted from there; optimizer and schedule begin
    /// anew.
    /// </summary>
    public TrainerBuilder StartAt(StartOptions start) => Set(_plan with { Start = Given(start) });

    /// <summary>Changes when results are saved, how they are called, and how many stay.</summary>
    public TrainerBuilder WithSaving(Func<SaveOptions, SaveOptions> change) => Set(_plan with { Save = Given(change)(_plan.Save) });

    /// <summary>Goes on from a state that an earlier run wrote.</summary>
    /// <param name="folder">The folder of the state, or a place on the hub: <c>hf://owner/name/frog-state</c>.</param>
    /// <param name="allowDifferences">Whether a state is taken that was written for other options or images; the differences are told as
    /// warnings.</param>
    public TrainerBuilder ResumeFrom(string folder, bool allowDifferences = false) =>
        Set(_plan with { Resume = new ResumeOptions { Path = Given(folder), AllowDifferences = allowDifferences } });

    /// <summary>Goes on from the newest complete state in a folder; begins anew where there is none.</summary>
    /// <param name="folder">The folder that holds states, such as "out".</param>
    public TrainerBuilder ResumeFromLatest(string folder) =>
        Set(_plan with { Resume = new ResumeOptions { Path = Given(folder), Latest = true } });

    /// <summary>Adds a saver of your own.</summary>
    public TrainerBuilder SaveTo(ISaver saver) => Set(_plan with { Savers = _plan.Savers.Add(Given(saver)) });

    /// <summary>Saves during training too. What is not given stays as it was.</summary>
    /// <param name="steps">After every so many steps.</param>
    /// <param name="epochs">After every so many epochs.</param>
    public TrainerBuilder SaveEvery(int? steps = null, int? epochs = null) =>
        Set(_plan with { Save = _plan.Save with { EveryNSteps = steps ?? _plan.Save.EveryNSteps, EveryNEpochs = epochs
            ?? _plan.Save.EveryNEpochs } });

    /// <summary>Draws pictures before and after training (and between, if the options say so), with a contact sheet each time.</summary>
    public TrainerBuilder WithSamples(SampleOptions options) => Set(_plan with { Samples = Given(options) });

    /// <summary>Draws pictures of these prompts before and after training.</summary>
    /// <param name="folder">Where the pictures go.</param>
    /// <param name="prompts">What is drawn.</param>
    public TrainerBuilder WithSamples(string folder, params IEnumerable<TextToImageOptions> prompts) =>
        WithSamples(new SampleOptions { Folder = folder, Prompts = [.. Given(prompts)] });

    /// <summary>Adds an observer, which is told of steps, epochs, saves and the end.</summary>
    public TrainerBuilder WithObserver(ITrainingObserver observer) => Set(_plan with { Observers = _plan.Observers.Add(Given(observer)) });

    /// <summary>Lets the run be steered while it goes on: paused, saved, ended, its rates changed.</summary>
    public TrainerBuilder WithControl(TrainingControl control) => Set(_plan with { Control = Given(control) });

    /// <summary>Ends the run when the loss on held-out images has not fallen for so many validations.</summary>
    /// <param name="patience">Validations that are waited for.</param>
    /// <param name="leastFall">A loss counts as lower when it is so much lower.</param>
    public TrainerBuilder WithEarlyStopping(int patience, double leastFall = 0)
    {
        var control = _plan.Control ?? new TrainingControl();
        return WithControl(control).WithObserver(new EarlyStopping(control, patience) { LeastFall = leastFall });
    }

    /// <summary>Writes a log of JSON lines.</summary>
    public TrainerBuilder WithLog(string path) => WithObserver(new JsonLinesLog(Given(path)));

    /// <summary>Writes a table with a row for each step.</summary>
    public TrainerBuilder WithCsvLog(string path) => WithObserver(new CsvLog(Given(path)));

    /// <summary>Writes event files of TensorBoard: losses, rates, norms, sample pictures.</summary>
    /// <param name="folder">The run's folder; <c>tensorboard --logdir</c> takes it, or the folder above it.</param>
    public TrainerBuilder WithTensorBoard(string folder) => WithObserver(new TensorBoardLog(Given(folder)));

    /// <summary>Draws the loss curve to this PNG file, at the end.</summary>
    public TrainerBuilder WithLossCurve(string path) => WithObserver(new LossCurve(Given(path)));

    /// <summary>Draws the mean loss by timestep to this PNG file, at the end.</summary>
    public TrainerBuilder WithTimestepLossCurve(string path) => WithObserver(new TimestepLossCurve(Given(path)));

    /// <summary>Writes a page about the run to this HTML file when it ends, well or not: charts, samples, files, options, time.</summary>
    public TrainerBuilder WithReport(string path) => WithObserver(new RunReport(Given(path)));

    /// <summary>Writes a model card to this file, mostly README.md, when the run ends, well or not.</summary>
    public TrainerBuilder WithModelCard(string path) => WithObserver(new ModelCard(Given(path)));

    /// <summary>Uploads every save to a repository on the hub, private unless the options say otherwise, and a model card at the
    /// end.</summary>
    /// <param name="repository"><c>owner/name</c>, created when it is missing; a folder and a branch may follow:
    /// <c>owner/name/loras:v2</c>.</param>
    /// <param name="change">Changes the options; null, the default, for none.</param>
    public TrainerBuilder WithHubUpload(string repository, Func<HubUploadOptions, HubUploadOptions>? change = null)
    {
        var options = new HubUploadOptions { Repository = Given(repository) };
        return WithObserver(new HubUpload(change is null ? options : Given(change(options))));
    }

    /// <summary>Sends log messages to a host's logger.</summary>
    public TrainerBuilder WithLogger(ILogger logger) => Set(_plan with { Logger = Given(logger) });

    /// <summary>Tells the run's numbers to a meter of the host's factory; see <see cref="TrainingTelemetry"/>.</summary>
    public TrainerBuilder WithMeters(IMeterFactory meters) => Set(_plan with { Meters = Given(meters) });

    /// <summary>The clock of logs, progress and metadata. Default the system's.</summary>
    public TrainerBuilder WithClock(TimeProvider clock) => Set(_plan with { Clock = Given(clock) });
}

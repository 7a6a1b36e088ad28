using System.Text.Json;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class TrainingLengthTests
{
    [Theory]
    [InlineData(5, 2, 3)]
    [InlineData(4, 2, 2)]
    [InlineData(1, 100, 1)]
    [InlineData(int.MaxValue, 1, int.MaxValue)]
    public void Steps_CountEpochsThatAreBegun(int steps, int perEpoch, int epochs)
    {
        Assert.Equal(steps, TrainingLength.Steps(steps).TotalSteps(perEpoch));
        Assert.Equal(epochs, TrainingLength.Steps(steps).TotalEpochs(perEpoch));
    }

    /// <summary>Steps and epochs of sd-scripts (tests/fixtures/data/epochs.json), those of one process.</summary>
    [Fact]
    public void Plan_OfEveryRecordedRun_HasTheReferencesStepsAndEpochs()
    {
        var rows = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "epochs.json"))).RootElement.GetProperty("training_steps")
            .GetProperty("rows").EnumerateArray().ToList();
        var own = rows.Where(row => row.GetProperty("num_processes").GetInt32() == 1).ToList();
        Assert.Equal((7, 6), (rows.Count, own.Count));
        Assert.All(own, row =>
        {
            int Number(string name) => row.GetProperty(name).GetInt32();
            var dataset = new DatasetBuilder().Add(new Squares(Number("batches_per_epoch"))).WithResolution(64).Build();
            var plan = new TrainingPlan
            {
                GradientAccumulation = Number("gradient_accumulation_steps"),
                Length = row.GetProperty("max_train_epochs").ValueKind == JsonValueKind.Null
                    ? TrainingLength.Steps(Number("max_train_steps_argument")) : TrainingLength.Epochs(Number("max_train_epochs")),
            };
            var steps = plan.StepsPerEpoch(dataset);
            Assert.Equal((Number("num_update_steps_per_epoch"), Number("max_train_steps"), Number("num_train_epochs")),
                (steps, plan.Length.TotalSteps(steps), plan.Length.TotalEpochs(steps)));
        });
    }

    private sealed class Squares(int count) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() =>
            Enumerable.Range(0, count).Select(i => new DatasetItem($"{i}.png", new PixelSize(64, 64), "x"));
    }

    [Fact]
    public void Epochs_MultiplySteps_AndDoNotOverflowSilently()
    {
        Assert.Equal((30, 3), (TrainingLength.Epochs(3).TotalSteps(10), TrainingLength.Epochs(3).TotalEpochs(10)));
        Assert.Throws<OverflowException>(() => TrainingLength.Epochs(int.MaxValue).TotalSteps(2));
        Assert.Equal(("7 steps", "7 epochs"), (TrainingLength.Steps(7).ToString(), TrainingLength.Epochs(7).ToString()));
        Assert.NotEqual(TrainingLength.Steps(7), TrainingLength.Epochs(7));
    }
}

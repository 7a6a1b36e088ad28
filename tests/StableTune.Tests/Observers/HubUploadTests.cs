using System.Text;
using Microsoft.Extensions.Logging;
using StableTune.Configuration;
using StableTune.Hub;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Runs that upload what they save to a hub on loopback.</summary>
public sealed class HubUploadTests : IDisposable
{
    private const string Mark = "<!-- Written by StableTune: ", Secret = "hf_aTokenThatNobodySees",
        Commit = "/api/models/frog/green/commit/main";

    private readonly TemporaryFolder _folder = new();
    private readonly FakeHub _hub = new();
    private readonly Lines _log = new();

    private HubOptions Connection => new()
    {
        Endpoint = _hub.Server.Address, CacheFolder = _folder.File("cache"), Offline = false, Token = Secret,
        RetryDelay = TimeSpan.FromMilliseconds(1),
    };

    private HubUploadOptions Options => new() { Repository = FakeHub.Name, Hub = Connection };

    private string Card => Encoding.UTF8.GetString(_hub.Committed["README.md"]);

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
        Assert.DoesNotContain(_log.All, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EverySave_IsACommit_AndACardComesLast(bool inBackground)
    {
        var report = _folder.File("report.html");
        var (_, upload) = Train(Options with { InBackground = inBackground }, builder => builder.SaveEvery(steps: 2).WithReport(report));
        Assert.Empty(upload.Failures);
        Assert.Equal(["tiny-step00000002.safetensors", "tiny.safetensors", "README.md"], upload.Uploaded);
        Assert.Equal(["tiny-step00000002.safetensors, step 2", "tiny.safetensors, step 3", "the model card, step 3"],
            _hub.Commits.Select(commit => commit.Summary));
        Assert.Equal(File.ReadAllBytes(TinyRun.Output(_folder)), _hub.Committed["tiny.safetensors"]);
        Assert.Equal(File.ReadAllBytes(TinyRun.StepOutput(_folder, 2)), _hub.Committed["tiny-step00000002.safetensors"]);
        Assert.All(_hub.Storage.Requests, request => Assert.Null(request.Token));
        Assert.DoesNotContain(Secret, File.ReadAllText(report) + Card + upload + upload.Options);
    }

    [Theory]
    [InlineData(HubVisibility.Private, true)]
    [InlineData(HubVisibility.Public, false)]
    public void MissingRepository_IsCreated_PrivateUnlessSaidOtherwise(HubVisibility visibility, bool isPrivate)
    {
        Train(Options with { Repository = "frog/new", Folder = "loras", Revision = "v2", Visibility = visibility });
        Assert.Equal(isPrivate, Assert.Single(_hub.Created).GetProperty("private").GetBoolean());
        Assert.Equal(["loras/tiny.safetensors", "loras/README.md"], _hub.Commits.SelectMany(commit => commit.Files.Keys));
        Assert.All(_hub.Commits, commit => Assert.Equal(("models/frog/new", "v2"), (commit.Repository, commit.Revision)));
    }

    [Fact]
    public void SlowUploads_DoNotHoldUpTraining_AndTheEndWaitsForThem()
    {
        var release = new TaskCompletionSource();
        _hub.BeforeStoring = _ =>
        {
            release.Task.Wait(TimeSpan.FromMinutes(1));
            return null;
        };
        var commits = -1;
        var (_, upload) = Train(Options, builder => builder.SaveEvery(steps: 1).WithObserver(new Recorder
        {
            Before = what =>
            {
                if (what != "step 3") return;
                commits = _hub.Commits.Count;
                release.SetResult();
            },
        }));
        Assert.Equal(0, commits);
        Assert.Equal(5, upload.Uploaded.Count);                                      // three steps, the end, the card
    }

    [Fact]
    public void FilesThatAreRemovedOrReplacedBeforeTheirTurn_AreUploadedAsTheyWereSaved()
    {
        if (OperatingSystem.IsWindows()) return;
        var release = new TaskCompletionSource();
        var saved = new Dictionary<string, byte[]>();
        _hub.BeforeStoring = _ =>
        {
            release.Task.Wait(TimeSpan.FromMinutes(1));
            return null;
        };
        var copy = new Recorder
        {
            Before = what =>
            {
                if (what.StartsWith("save Step", StringComparison.Ordinal))
                    saved[what] = File.ReadAllBytes(TinyRun.Output(_folder));
                if (what == "step 3") release.SetResult();
            },
        };
        // One name for all: each save replaces the one before.
        Train(Options, builder => builder.SaveEvery(steps: 1).WithSaving(save => save with { Naming = OutputNaming.OneFile })
            .WithObserver(copy));
        var uploaded = _hub.Commits.Where(commit => commit.Files.ContainsKey("tiny.safetensors"))
            .Select(commit => commit.Files["tiny.safetensors"]).ToList();
        Assert.Equal(saved["save Step 1"], uploaded[0]);
        Assert.Equal(saved["save Step 2"], uploaded[1]);
        Assert.NotEqual(uploaded[0], uploaded[1]);
    }

    [Fact]
    public void FailedUploads_AreToldInTheResult_AndTheRunGoesOn()
    {
        _hub.Next(Commit, _ => Reply.Of(413, ("X-Error-Message", "storage is full")));
        var (result, upload) = Train(Options, builder => builder.SaveEvery(steps: 2));
        var failure = Assert.Single(upload.Failures);
        Assert.Contains("tiny-step00000002.safetensors, step 2 was not uploaded.", failure);
        Assert.Contains("storage is full", failure);
        Assert.Contains(failure, result.Warnings);
        Assert.Contains(_log.All, line => line.Contains("storage is full", StringComparison.Ordinal));
        Assert.Equal(["tiny.safetensors", "README.md"], upload.Uploaded);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FailedUploads_CanEndTheRun_WithItsWeightsSaved(bool inBackground)
    {
        _hub.Always(Commit, _ => Reply.Of(413));
        var error = Assert.ThrowsAny<Exception>(() => Train(
            Options with { FailuresEndTheRun = true, InBackground = inBackground }, builder => builder.SaveEvery(steps: 1)));
        Assert.Contains("was not uploaded", error.ToString());
        Assert.NotEmpty(TinyRun.Written(_folder));
    }

    [Fact]
    public void HubThatCannotBeWrittenTo_RefusesTheRun_BeforeAnythingIsPrepared()
    {
        _hub.WritingToken = "another";
        var stages = new Reports();
        var error = Assert.Throws<HubException>(() => Builder(Options).Train(stages));
        Assert.Equal(HubFault.AccessDenied, error.Fault);
        Assert.Empty(stages.All);
        Assert.DoesNotContain(Secret, error.ToString());
        Assert.Empty(TinyRun.Written(_folder));
    }

    [Fact]
    public void Build_WithoutAToken_OrOffline_IsRefused()
    {
        Assert.Contains("an upload needs a token", Problems(Options with { Hub = Connection with { Token = "" } }));
        Assert.Contains("only the cache may be used", Problems(Options with { Hub = Connection with { Offline = true } }));
        Assert.Empty(_hub.Server.Requests);
    }

    [Theory]
    [InlineData("fr ogs", null, null, "HubUploadOptions.Repository")]
    [InlineData(null, null, null, "HubUploadOptions.Repository is not set")]
    [InlineData("frog/green/a", "b", null, "names the folder \"a\" too")]
    [InlineData("frog/green:a", null, "b", "names the branch \"a\" too")]
    [InlineData("frog/green", "../b", null, "HubUploadOptions.Folder")]
    [InlineData("frog/green", null, "a b", "HubUploadOptions.Revision")]
    public void Build_WithAPlaceThatCannotBe_IsRefused(string? repository, string? folder, string? revision, string message) =>
        Assert.Contains(message, Problems(Options with { Repository = repository, Folder = folder, Revision = revision }));

    [Fact]
    public void States_AreUploadedWhereAskedFor_AndARunGoesOnFromThem()
    {
        var whole = TinyRun.Builder(_folder, "whole").Train();
        using var source = new CancellationTokenSource();
        using (var upload = new HubUpload(Options with { States = true }))
        {
            var builder = TinyRun.Builder(_folder).SaveState(_folder.File("out", "tiny")).WithObserver(upload);
            Assert.ThrowsAny<OperationCanceledException>(() => builder.Train(Reports.CancelAt(2, source), source.Token));
            Assert.Contains("tiny-step00000002-state/state.json", upload.Uploaded);
            Assert.Empty(upload.Failures);
        }

        Directory.Delete(_folder.File("out", "tiny-step00000002-state"), recursive: true);
        var resumed = TinyRun.Builder(_folder).ResumeFrom("hf://frog/green/tiny-step00000002-state").Change(WithHub).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_folder, "whole")), TinyRun.Weights(TinyRun.Output(_folder)));
    }

    [Fact]
    public void States_AreLeftOut_UnlessAskedFor()
    {
        var (_, upload) = Train(Options, builder => builder.SaveState(_folder.File("out", "tiny")));
        Assert.Equal(["tiny.safetensors", "README.md"], upload.Uploaded);
    }

    [Fact]
    public void Resume_FromAPlaceThatIsNone_IsTold()
    {
        Assert.Contains("ResumeOptions.Path", Assert.Throws<InvalidOptionsException>(
            () => TinyRun.Builder(_folder).ResumeFrom("hf://nowhere").Build()).Message);
        Assert.Equal(HubFault.NotFound, Assert.Throws<HubException>(
            () => TinyRun.Builder(_folder).ResumeFrom("hf://frog/green/no-state").Change(WithHub).Train()).Fault);
    }

    [Fact]
    public void OnlyAtEnd_UploadsTheResultAlone()
    {
        var (_, upload) = Train(Options with { OnlyAtEnd = true, Card = false }, builder => builder.SaveEvery(steps: 1));
        Assert.Equal(["tiny.safetensors"], upload.Uploaded);
    }

    [Fact]
    public void Card_OfAPerson_IsLeftAlone_AndThatOfARunIsReplaced()
    {
        _hub.AddText("README.md", "by hand");
        var first = Train(Options).Upload;
        Assert.Empty(first.Failures);
        Assert.DoesNotContain("README.md", first.Uploaded);
        _hub.AddText("README.md", Mark + "a later run replaces this file unless this line is removed. -->");
        _hub.Head = FakeHub.NextCommit;
        var second = Train(Options, builder => builder.Overwrite()).Upload;
        Assert.Empty(second.Failures);
        Assert.Contains("README.md", second.Uploaded);
    }

    [Fact]
    public void Card_HasTheFactsOfTheRun_AndEscapesWhatPeopleType()
    {
        const string hostile = "a \"frog\"\n---\nlicense: evil\n# <script>alert(1)</script> [x](http://y) | `z` {{c}}";
        Train(Options with { Samples = true }, builder => builder.WithSamples(_folder.File("samples"),
            new TextToImageOptions { Prompt = hostile, Width = 64, Height = 64, Steps = 1 }));
        var parts = Card.Split("---\n");
        File.WriteAllText(_folder.File("card.yaml"), parts[1]);
        var front = YamlFile.Read(_folder.File("card.yaml"));
        Assert.Equal("diffusers", front["library_name"].Value.AsText);
        Assert.DoesNotContain("license", front.Keys);
        Assert.Contains(front.Keys, key => key.StartsWith("widget", StringComparison.Ordinal));
        var text = Card[(Card.IndexOf("---\n\n", StringComparison.Ordinal) + 5)..];
        Assert.Contains("\n# tiny\n", text);
        Assert.Contains("lora \\(rank 1, alpha 1\\)", text);
        Assert.Contains("| steps | 3 |", text);
        Assert.Contains("| seed | 42 |", text);
        Assert.Contains("a \\\"frog\\\" \\-\\-\\- license: evil \\# &lt;script&gt;alert\\(1\\)", text);
        Assert.DoesNotContain("<script", text);
        Assert.DoesNotContain("\n---\nlicense", text);
        // Nothing of this machine.
        Assert.DoesNotContain(Path.GetTempPath().TrimEnd('/'), text);
        var picture = Assert.Single(_hub.Committed.Keys, path => path.StartsWith("samples/", StringComparison.Ordinal));
        Assert.Contains($"![sample]({picture})", text);
    }

    /// <summary>A run that has uploaded nothing leaves the card of the model that is there alone.</summary>
    [Fact]
    public void Card_OfARunThatWasCancelled_DoesNotTellOfWhatIsNotThere()
    {
        using var source = new CancellationTokenSource();
        var upload = new HubUpload(Options with { OnlyAtEnd = true });
        using (upload)
            Assert.ThrowsAny<OperationCanceledException>(() => TinyRun.Builder(_folder).SaveEvery(steps: 1).WithObserver(upload)
                .Change(WithHub).Train(new Reports(r =>
                {
                    if (r.Step == 1) source.Cancel();
                }), source.Token));
        Assert.Empty(_hub.Commits);
    }

    [Fact]
    public void Card_NamesWhatWasUploaded_AndNothingElse()
    {
        Train(Options with { OnlyAtEnd = true }, builder => builder.SaveEvery(steps: 1).SaveState(_folder.File("states", "frog")));
        Assert.EndsWith("## Files\n\n- tiny.safetensors, step 3\n", Card, StringComparison.Ordinal);
    }

    [Fact]
    public void ModelCard_OfAPerson_IsLeftAlone_WithAWarning()
    {
        var card = _folder.File("out", "README.md");
        Directory.CreateDirectory(_folder.File("out"));
        File.WriteAllText(card, "by hand");
        var result = TinyRun.Builder(_folder).WithModelCard(card).Train();
        Assert.Equal("by hand", File.ReadAllText(card));
        Assert.Contains(result.Warnings, warning => warning.Contains("is left as it is", StringComparison.Ordinal));
    }

    [Fact]
    public void ModelCard_CanBeWrittenBesideTheResult()
    {
        TinyRun.Builder(_folder).WithModelCard(_folder.File("out", "README.md")).Train();
        Assert.Contains(Mark, File.ReadAllText(_folder.File("out", "README.md")));
    }

    [Fact]
    public void UploadsThatTakeTooLong_AreGivenUpAtTheEnd()
    {
        _hub.BeforeStoring = _ => new Reply { Until = new TaskCompletionSource().Task };
        var (_, upload) = Train(Options with { LongestWait = TimeSpan.FromMilliseconds(50), Card = false });
        Assert.Contains("LongestWait", Assert.Single(upload.Failures));
    }

    private static string Words(string more) => "--pretrained_model_name_or_path m --network_module networks.lora --output_dir out "
        + "--train_data_dir images --seed 1 " + more;

    [Fact]
    public void Options_OfTheReferences_BecomeAnUpload()
    {
        var plan = RunConfiguration.Parse(Words("--huggingface_repo_id frog/green --huggingface_repo_type dataset "
            + "--huggingface_path_in_repo a/b --huggingface_token " + Secret + " --huggingface_repo_visibility public --save_state "
            + "--save_state_to_huggingface --async_upload --resume frog/green/x-state:main:model --resume_from_huggingface")
            .Split(' ')).Builder.Plan;
        var options = Assert.Single(plan.Observers.OfType<HubUpload>()).Options;
        Assert.Equal(("frog/green", HubRepositoryType.Dataset, "a/b", HubVisibility.Public, true, true, false),
            (options.Repository, options.Type, options.Folder, options.Visibility, options.States, options.InBackground,
                options.OnlyAtEnd));
        Assert.Equal((Secret, Secret), (options.Hub!.Token, plan.Model.Hub!.Token));
        Assert.Equal("hf://frog/green/x-state:main:model", plan.Resume!.Path);
    }

    [Theory]
    [InlineData("--huggingface_repo_id frog/green", false, HubVisibility.Private)]
    [InlineData("--huggingface_repo_id frog/green --huggingface_repo_visibility secret", false, HubVisibility.Private)]
    [InlineData("--hub_model_id frog/green --push_to_hub", true, HubVisibility.Private)]
    public void Options_OfTheReferences_HaveTheirDefaults(string more, bool onlyAtEnd, HubVisibility visibility)
    {
        var options = Assert.Single(RunConfiguration.Parse(Words(more).Split(' ')).Builder.Plan.Observers.OfType<HubUpload>()).Options;
        Assert.Equal((onlyAtEnd, visibility, false, false), (options.OnlyAtEnd, options.Visibility, options.InBackground, options.States));
    }

    /// <summary>As in ppdiffusers, what is pushed without a name has the output folder's, and is of whoever pushes.</summary>
    [Theory]
    [InlineData("--push_to_hub --output_dir out/green-frog/", "green-frog")]
    [InlineData("--push_to_hub", "dreambooth-model")]
    public void PpDiffusers_WithoutAName_TakesTheOutputFolders(string more, string name)
    {
        string[] words = ["--pretrained_model_name_or_path", "m", "--instance_data_dir", "d", "--instance_prompt", "p", .. more.Split(' ')];
        var read = RunConfiguration.Parse(words, RunScript.DreamBooth, ReferenceStyle.PpDiffusers);
        var options = Assert.Single(read.Builder.Plan.Observers.OfType<HubUpload>()).Options;
        Assert.Equal((name, true), (options.Repository, options.OnlyAtEnd));
        Assert.Empty(options.Validate());
        Assert.Contains(read.Notes, note => note.Contains($"\"{name}\" of whoever", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_OfANameAlone_UploadsToWhoeverTheTokenBelongsTo()
    {
        _hub.User = "toad";
        var (_, upload) = Train(new HubUploadOptions { Repository = "green:v2", Hub = Connection });
        Assert.Empty(upload.Failures);
        Assert.Contains("toad/green", _hub.Repositories.Single(repository => repository.Contains("toad", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Contains("v2", _hub.Branches);
        Assert.Contains(_hub.Committed.Keys, path => path.EndsWith(".safetensors", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_OfANameAlone_WithoutAnAnswer_TellsBeforeAnythingIsPrepared()
    {
        _hub.Always("/api/whoami-v2", _ => Reply.Json("{}"));
        var fault = Assert.Throws<HubException>(() => Train(new HubUploadOptions { Repository = "green", Hub = Connection }));
        Assert.Contains("does not say whom the token belongs to", fault.Message, StringComparison.Ordinal);
        Assert.Contains("holds '?'", Problems(new HubUploadOptions { Repository = "gr?een", Hub = Connection }), StringComparison.Ordinal);
    }

    [Fact]
    public void PpDiffusers_UploadsOnlyWhenTold()
    {
        string[] words = ["--pretrained_model_name_or_path", "m", "--instance_data_dir", "d", "--instance_prompt", "p", "--hub_model_id",
            "frog/green"];
        var without = RunConfiguration.Parse(words, RunScript.DreamBooth, ReferenceStyle.PpDiffusers);
        Assert.Empty(without.Builder.Plan.Observers.OfType<HubUpload>());
        Assert.Contains(without.Notes, note => note.Contains("without push_to_hub", StringComparison.Ordinal));
        var with = RunConfiguration.Parse([.. words, "--push_to_hub"], RunScript.DreamBooth, ReferenceStyle.PpDiffusers);
        Assert.True(Assert.Single(with.Builder.Plan.Observers.OfType<HubUpload>()).Options.OnlyAtEnd);
    }

    [Fact]
    public void Configuration_IsWrittenWithTheUpload_AndWithoutTheToken()
    {
        var words = Words("--hub_model_id frog/green --hub_token " + Secret + " --async_upload --resume frog/green/s "
            + "--resume_from_huggingface --huggingface_repo_visibility public").Split(' ');
        var read = RunConfiguration.Parse(words);
        Assert.DoesNotContain(Secret, read.ToToml());
        var written = TinyRun.Builder(_folder).WithHubUpload("frog/green", options => options with { Hub = Connection })
            .ResumeFrom("hf://frog/green/s");
        var error = Assert.Throws<InvalidOptionsException>(() => written.ToToml());
        Assert.DoesNotContain(Secret, error.Message);                            // the endpoint cannot be said, and is told
        var text = TinyRun.Builder(_folder).WithHubUpload("frog/green", o => o with { Card = true, Hub = new() { Token = Secret } })
            .ResumeFrom("hf://frog/green/s").ToToml();
        Assert.DoesNotContain(Secret, text);
        Assert.Contains("huggingface_repo_id = \"frog/green\"", text);
        Assert.Contains("resume_from_huggingface = true", text);
    }

    private TrainingPlan WithHub(TrainingPlan plan) => plan with { Model = plan.Model with { Hub = Connection } };

    private string Problems(HubUploadOptions options) =>
        Assert.Throws<InvalidOptionsException>(() => Builder(options).Build()).Message;

    private TrainerBuilder Builder(HubUploadOptions options) =>
        TinyRun.Builder(_folder).WithLogger(_log).WithObserver(new HubUpload(options));

    private (TrainingResult Result, HubUpload Upload) Train(HubUploadOptions options, Func<TrainerBuilder, TrainerBuilder>? more = null)
    {
        using var upload = new HubUpload(options);
        var builder = TinyRun.Builder(_folder).WithLogger(_log).WithObserver(upload);
        return ((more ?? (same => same))(builder).Train(), upload);
    }

    private sealed class Lines : ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> All { get; } = new();

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => All.Enqueue($"{formatter(state, exception)} {exception}");
    }
}

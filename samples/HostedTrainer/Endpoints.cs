using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;

namespace StableTune.Samples;

/// <summary>What a page is told of a training.</summary>
internal sealed record TrainingView(
    string Id, string Name, string State, string Phase, int Step, int Steps, double? Average, double? Speed, double? SecondsLeft,
    IReadOnlyList<double[]> Losses, IReadOnlyList<string> Samples, IReadOnlyList<string> Warnings, string? File, string? Error);

/// <summary>The addresses of the application.</summary>
internal static class Endpoints
{
    public static void MapTrainings(this WebApplication app)
    {
        var trainings = app.MapGroup("/trainings");
        trainings.MapGet("/", (TrainingQueue queue) => queue.Jobs.Select(job => View(job, job.Status, job.LossesAfter())));
        trainings.MapPost("/", Enqueue);
        trainings.MapGet("/{id}", (string id, TrainingQueue queue) =>
            queue.Find(id) is { } job ? Results.Ok(View(job, job.Status, job.LossesAfter())) : None(id));
        trainings.MapGet("/{id}/events", (string id, TrainingQueue queue, HttpRequest request, CancellationToken gone, int after = 0) =>
            queue.Find(id) is { } job ? (IResult)TypedResults.ServerSentEvents(Events(job, Known(request, after), gone)) : None(id));
        trainings.MapGet("/{id}/samples/{index:int}", (string id, int index, TrainingQueue queue) =>
            queue.Find(id)?.Status.Samples is { } samples && index >= 0 && index < samples.Count
                ? Results.File(samples[index], "image/png") : None($"{id}, sample {index}"));
        trainings.MapGet("/{id}/file", (string id, TrainingQueue queue) =>
            queue.Find(id)?.Status is { HasEnded: true, Files: { Count: > 0 } files } && File.Exists(files[^1])
                ? Results.File(files[^1], "application/octet-stream", Path.GetFileName(files[^1])) : None($"{id}, file"));
        trainings.MapPost("/{id}/{action:regex(^(pause|resume|stop|cancel|sample)$)}", Steer);
    }

    /// <summary>Everything that is wrong is told at once, as the run itself tells it.</summary>
    private static IResult Enqueue(TrainingRequest request, TrainingQueue queue, Trainings trainings)
    {
        var problems = request.Problems().ToList();
        if (problems.Count > 0) return Wrong(problems);
        try
        {
            var job = queue.Enqueue(request.Name!.Trim(), builder => trainings.Describe(builder, request));
            return Results.Created($"/trainings/{job.Id}", View(job, job.Status, []));
        }
        catch (InvalidOptionsException wrong)
        {
            return Wrong(wrong.Problems.Select(problem => problem.ToString()));
        }
        catch (InvalidOperationException full)
        {
            return Results.Problem(full.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static IResult Steer(string id, string action, TrainingQueue queue)
    {
        if (queue.Find(id) is not { } job) return None(id);
        switch (action)
        {
            case "pause": job.Pause(); break;
            case "resume": job.Resume(); break;
            case "stop": job.Stop(); break;
            case "cancel": job.Cancel(); break;
            default: job.Control.SampleNow(); break;
        }

        return Results.Ok(View(job, job.Status, []));
    }

    /// <summary>The last step that the page knows: a browser that lost the line asks again by itself, and says it.</summary>
    private static int Known(HttpRequest request, int after) =>
        int.TryParse(request.Headers["Last-Event-ID"], CultureInfo.InvariantCulture, out var step) ? step : after;

    /// <summary>The status with the losses behind a step, and those that come; at most four times a second.</summary>
    private static async IAsyncEnumerable<SseItem<TrainingView>> Events(
        TrainingJob job, int told, [EnumeratorCancellation] CancellationToken gone)
    {
        await foreach (var status in job.WatchAsync(gone))
        {
            var losses = job.LossesAfter(told);
            if (losses.Count > 0) told = losses[^1].Step;
            yield return new SseItem<TrainingView>(View(job, status, losses), "status")
            {
                EventId = told.ToString(CultureInfo.InvariantCulture),
            };
            if (!status.HasEnded) await Task.Delay(250, gone);
        }
    }

    private static TrainingView View(TrainingJob job, TrainingJobStatus status, IReadOnlyList<StepLoss> losses)
    {
        var progress = status.Progress;
        var last = job.LossesAfter((progress?.Step ?? 0) - 1);
        return new TrainingView(job.Id, job.Name, status.State.ToString().ToLowerInvariant(),
            status.HasEnded ? "" : progress?.ToString() ?? "", progress?.Step ?? 0, progress?.TotalSteps ?? 0,
            last.Count > 0 ? Number(last[^1].Average) : null, Number(progress?.StepsPerSecond), progress?.Remaining?.TotalSeconds,
            [.. losses.Select(step => new[] { step.Step, step.Loss, step.Average })],
            [.. status.Samples.Select((_, i) => $"/trainings/{job.Id}/samples/{i}")], status.Warnings,
            status.HasEnded && status.Files.Count > 0 ? Path.GetFileName(status.Files[^1]) : null, status.Fault?.Message);
    }

    private static double? Number(double? number) => number is { } value && double.IsFinite(value) ? value : null;

    private static IResult None(string what) => Results.Problem($"There is no training {what}.", statusCode: StatusCodes.Status404NotFound);

    private static IResult Wrong(IEnumerable<string> problems) =>
        Results.Problem(string.Join("\n", problems), title: "The training cannot work.", statusCode: StatusCodes.Status400BadRequest);
}

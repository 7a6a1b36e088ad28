#!/usr/bin/env dotnet
#:project ../../src/StableTune/StableTune.csproj
#:property UsesTensors=true
#:property PublishAot=false

// A whole training program in one file, with no project around it (.NET 10):
//   dotnet run samples/Script/train.cs -- MODEL IMAGES [OUT] [STEPS] [SIDE]
// Elsewhere two lines stand in the place of the three at the top. The package brings everything; without the second line programs of one
// file are prepared for compilation ahead of time, which some parts do not work with:
//   #:package StableTune@0.1.0
//   #:property PublishAot=false
using System.Globalization;
using StableTune;

if (args.Length is < 2 or > 5)
{
    Console.Error.WriteLine("Usage: dotnet run train.cs -- MODEL IMAGES [OUT] [STEPS] [SIDE]");
    return 2;
}

var output = args.Length > 2 ? args[2] : "out";
var steps = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : 400;
var side = args.Length > 4 ? int.Parse(args[4], CultureInfo.InvariantCulture) : 512;
try
{
    var result = new TrainerBuilder()
        .WithModel(args[0])
        .WithImages(args[1], resolution: side)
        .WithLoRA(rank: 8, alpha: 8)
        .For(TrainingLength.Steps(steps))
        .WithReport(Path.Combine(output, "report.html"))
        .SaveTo(Path.Combine(output, "lora.safetensors"))
        .Overwrite()
        .Train();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{result.Steps} steps, average loss {result.AverageLoss:F4}: {result.Files[0]}"));
    return 0;
}
catch (Exception e) when (e is InvalidOptionsException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
